#!/usr/bin/env python3
"""Puts faults into the library, one at a time, and has the simulation find each within a minute. By hand:

    python3 tests/simulation/breaks.py [WORD...]     the breaks whose names have one of the words
    python3 tests/simulation/breaks.py --check       only whether each break can be put in; the matrix runs this

Works on a copy of the sources in build/breaks.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import time

ATTEMPTS = "include/wechatpay/bonus_commit/impl/commit_attempts.ipp"
CALL_HEADER = "include/wechatpay/bonus_commit/impl/commit_call.hpp"
CALL = "include/wechatpay/bonus_commit/impl/commit_call.ipp"
CORE = "include/wechatpay/bonus_commit/impl/client_core.ipp"
STOP = "include/wechatpay/bonus_commit/impl/stop.ipp"
CLIENT = "include/wechatpay/bonus_commit/impl/client.ipp"
BATCH = "include/wechatpay/bonus_commit/impl/batch_run.hpp"
OPTIONS = "include/wechatpay/bonus_commit/impl/check_options.ipp"
STAGES = "include/wechatpay/bonus_commit/stages/"
RETRY = STAGES + "retry.hpp"
HOSTS = STAGES + "hosts.hpp"
LIMITER = STAGES + "rate_limiter.hpp"
VERIFICATION = STAGES + "verification.hpp"
PROMISE = "include/wechatpay/bonus_commit/impl/commit_promise.hpp"
PLACES = "include/wechatpay/bonus_commit/impl/places.hpp"
RELAY = "src/outbox/relay.cpp"
RELAY_DATABASE = "src/outbox/relay_database.cpp"
BREAKER = "src/outbox/breaker.hpp"
DECISIONS = "src/outbox/decisions.cpp"
MEANING = "src/outbox/meaning.cpp"
QUEUE = "src/curl/request_queue.cpp"
CONNECTIONS = "src/curl/connections.hpp"

# Name, file, original text, replacement.
BREAKS = [
    # Bugs that were found in practice.
    ("connection: an answer left over is taken for the next order's", CONNECTIONS,
     "return trusted && (arrived == Arrived::nothing || (arrived == Arrived::data && protocol == Protocol::http2));",
     "return trusted && (arrived == Arrived::nothing || protocol != Protocol::unknown);"),
    ("call: an answer settles a second order", ATTEMPTS,
     "if (!verification || !setup_->options.refuse_repeated_nonces) return verification;",
     "if (!verification || setup_->options.refuse_repeated_nonces) return verification;"),
    ("answer: a gateway's word is believed", STAGES + "advice.hpp",
     "(client_error && !gave_up_waiting && is_wechat_pays(answer) &&\n"
     "                                            is_documented_refusal(answer.code))",
     "(client_error && !gave_up_waiting)"),
    ("answer: a refusal that does not verify is believed", STAGES + "advice.hpp",
     "if (answer.has_signature || answer.message.empty()) return false;", "if (answer.message.empty()) return false;"),
    ("call: a transport's error of any kind is believed", ATTEMPTS,
     "if (misuse || reported.kind == ErrorKind::transport_failed) {",
     "if (misuse || reported.kind != ErrorKind::misuse) {"),
    ("call: a deadline that is near counts as a rate limit", ATTEMPTS,
     "const auto latest = deadline_ - milliseconds(1);", "const auto latest = deadline_ - milliseconds(100);"),
    ("call: kept connections are trusted after a stale one", ATTEMPTS,
     "fresh_connection_ = fresh_connection_ || speaks_against_connection(error);", "fresh_connection_ = false;"),
    ("queue: a dead HTTP/2 connection is used for ever", QUEUE,
     "if (!connection_failed || host.protocol != Protocol::http2) return;",
     "if (!connection_failed || host.protocol != Protocol::unknown) return;"),
    ("client: its end waits for its own thread", CORE,
     "if (visit->thread_ != self) return false;", "if (visit->thread_ == self) return false;"),
    ("options: any number of tries", OPTIONS, "retry.max_tries > most_tries ||", "most_tries < 0 ||"),
    ("call: the end of a callback's state is not guarded", CALL,
     "Callback done = std::move(done_);  // what it holds ends here, also where it throws\n"
     "    if (done) done(std::move(result));",
     "if (done_) done_(std::move(result));"),
    # Other bugs.
    ("call: each answer counts, not the first alone", CALL_HEADER,
     "return awaited_.compare_exchange_strong(number, 0);", "return awaited_.exchange(0) >= 0 && number >= 0;"),
    ("call: a dropped completion is not noticed", CALL_HEADER,
     "~Reply() { call->drop(number); }", "~Reply() = default;"),
    ("call: what was cut off counts as not sent", ATTEMPTS,
     "error.outcome = sent ? Outcome::unknown : Outcome::not_sent;",
     "error.outcome = sent ? Outcome::not_sent : Outcome::not_sent;"),
    ("call: a later try takes back what an earlier one may have done", ATTEMPTS,
     "if (!result) outcome_ = worse(outcome_, result.error().outcome);",
     "if (!result) outcome_ = result.error().outcome;"),
    ("call: a user's stop is not handed on", CALL, "if (users_stop.stop_possible()) forward_ =", "if (false) forward_ ="),
    ("call: tries are miscounted", ATTEMPTS, "result->tries = tries();", "result->tries = 1;"),
    ("retry: Retry-After is halved", RETRY,
     "pause = *error.retry_after + std::chrono", "pause = *error.retry_after / 2 + std::chrono"),
    ("retry: 503 is not tried again", RETRY, "        case 503:\n", ""),
    ("retry: one try more than allowed", RETRY,
     "if (tries >= options.max_tries) return", "if (tries > options.max_tries) return"),
    ("call: a try may end after the deadline", ATTEMPTS,
     "options.deadline = (std::max)(left(now) - pause, milliseconds(1));",
     "options.deadline = (std::max)(left(now) + pause, milliseconds(1));"),
    ("retry: a new connection that closes counts as stale", RETRY,
     "return latest.transfer.connection_reused && (closed || timed_out);", "return closed || timed_out;"),
    ("hosts: a host that failed is not left alone", HOSTS,
     "if (now < *until) continue;", "if (now < Clock::time_point()) continue;"),
    ("hosts: more than one looks", HOSTS,
     "      until = now + cool_down_;\n", ""),
    ("hosts: a host that serves again is left alone", HOSTS,
     "avoided_until_[host].reset();", "static_cast<void>(host);"),
    ("verification: any signature", VERIFICATION,
     "if (verdict != PlatformKeys::Verdict::valid) {", "if (verdict == PlatformKeys::Verdict::unknown_serial) {"),
    ("verification: any time", VERIFICATION,
     "if (offset <= greatest_clock_difference && offset >= -greatest_clock_difference) return timestamp;",
     "if (offset >= -greatest_clock_difference) return timestamp;"),
    ("rate limit: places do not move on", LIMITER,
     "full_at_ = (std::max)(full_at_, open) + interval_;", "full_at_ = full_at_ + interval_;"),
    ("rate limit: a burst of one more", LIMITER, "(limit.burst - 1)", "limit.burst"),
    ("rate limit: no pause after a 429", LIMITER, "if (now < paused_until_) {", "if (now < (Clock::time_point::min)()) {"),
    ("rate limit: further tries need no place", ATTEMPTS,
     "const auto pause = place(next.pause, now);", "const std::optional<milliseconds> pause = next.pause;"),
    ("batch: places are not given back", BATCH, "    if (places_.give()) free_.notify_all();\n", ""),
    ("batch: more under way than allowed", PLACES, "if (taken_ == all_) return false;", "if (taken_ > all_) return false;"),
    ("batch: what waits for its place is sent when the batch is stopped", BATCH, "return time_.now() >= until;",
     "return true;"),
    ("batch: starts a commit before its place", BATCH, "wait(changed_, lock, until, [this] { return stopped(); });",
     "if (stopped()) return false;\n    return true;"),
    ("batch: a stop is not noticed", BATCH, "if (!ending_ && options_.stop.stop_requested()) {",
     "if (ending_ && options_.stop.stop_requested()) {"),
    ("batch: the summary is wrong", BATCH,
     "++(result ? summary_.credited : summary_.failed);", "++(result ? summary_.failed : summary_.credited);"),
    ("queue: one request too many", QUEUE, "if (host.running >= most_running_) return false;",
     "if (host.running > most_running_) return false;"),
    ("queue: sleeps through a pause", QUEUE, "timers_.empty() ? never : timers_.begin()->due;", "never;"),
    ("queue: a place is not given back", QUEUE, "  --host.running;\n", ""),
    ("queue: what is stopped goes on waiting", QUEUE, "const bool is_stopped = timer.place->stopped();",
     "const bool is_stopped = false;"),
    ("queue: does not wait for the pause", QUEUE, "if (first->start <= now) return admit",
     "if (first->start >= TimePoint{}) return admit"),
    ("queue: a fresh connection is forgotten", QUEUE,
     "action.fresh_connection = request.options.fresh_connection && !shares;",
     "action.fresh_connection = request.options.fresh_connection && !shares && false;"),
    ("call: on_call does not name the order where the clock throws", CALL,
     "run_users_code([&] { out_trade_no_ = request.out_trade_no; });",
     "run_users_code([&] { if (now().wall.time_since_epoch().count() != 0) out_trade_no_ = request.out_trade_no; });"),
    ("call: a clock that throws hides the end of a call, or its duration", CALL, "duration()});",
     "std::chrono::duration_cast<milliseconds>(core_->setup()->options.steady_clock() -\n"
     "                          started_.value_or(std::chrono::steady_clock::time_point()))});"),
    ("call: a child process ends its parent's calls", CALL,
     "if (core_->in_child()) return;  // the call belongs to the parent", ""),
    ("client: a child process sends over its parent's client", CLIENT, "if (open_->core->in_child()) {",
     "if (open_ == nullptr) {"),
    ("queue: starts what is too late", QUEUE, "if (first->deadline <= now) return completion",
     "if (first->deadline <= TimePoint{}) return completion"),
    ("relay: a call starts though its lease ends soon", RELAY, "held.lease.has_room(time_.lease_now()) &&", ""),
    ("relay: leases do not end while the machine sleeps", RELAY, "held.lease.has_room(time_.lease_now()) &&",
     "held.lease.has_room(Lease::Clock::time_point(now().time_since_epoch())) &&"),
    ("relay: a lease counts from the claim's answer", RELAY_DATABASE,
     "take_rows(std::move(rows), claim.token, lease_begin);",
     "static_cast<void>(lease_begin);\n  take_rows(std::move(rows), claim.token, time_.lease_now());"),
    ("relay: leases are not renewed", RELAY_DATABASE, "  if (!due) return;\n", "  if (due || !due) return;\n"),
    ("relay: rows that were lost are called", RELAY_DATABASE,
     "return ours.count({held.row.id, held.token}) == 0;", "return ours.empty() && held.started;"),
    ("relay: results are forgotten where the database fails", RELAY_DATABASE,
     "    const Settled settled = write(some);\n    pending_.erase(pending_.begin(), end);\n",
     "    pending_.erase(pending_.begin(), end);\n    const Settled settled = write(some);\n"),
    ("relay: rows go back under no token", RELAY, "  settlement.token = held.token;\n", ""),
    ("relay: claims after a stop", RELAY_DATABASE, "if (end_ || suspects_held_ > 0 ||", "if (suspects_held_ > 0 ||"),
    ("relay: calls in progress are miscounted", RELAY, "    --in_flight_;\n", ""),
    ("relay: a claim takes more than the rate allows", RELAY_DATABASE, "options_.pace.most_at_once(), ", ""),
    ("relay: no call at the start is alone", BREAKER, "bool closed_ = false;", "bool closed_ = true;"),
    ("relay: the breaker does not open", BREAKER, "if (closed_ && ++failures_ < most_failures) return false;",
     "if (closed_) return false;"),
    ("relay: a refusal without a signature is believed", MEANING,
     "error.outcome == Outcome::refused && error.verified()) {\n    return Meaning::refused;",
     "error.outcome == Outcome::refused) {\n    return Meaning::refused;"),
    ("relay: rows are dead as poison too early", DECISIONS, "if (row.claims > row.attempts + 10) {",
     "if (row.claims > row.attempts + 2) {"),
    ("fork: a child process runs a batch with its parent's client", BATCH, "if (client_.open_->core->in_child()) {",
     "if (false) {"),
    ("fork: a child process ends its parent's calls", CORE, "if (!core->in_child()) {", "if (true) {"),
    ("fork: a child process signs its parent's next try", CALL, "  if (core_->in_child()) return;\n  const ClientCore::Visit",
     "  const ClientCore::Visit"),
    ("fork: a child process loses its parent's next try", CALL,
     "if (kept == nullptr || kept->awaited_ != number || kept->core_->in_child()) return;",
     "if (kept == nullptr || kept->awaited_ != number) return;"),
    ("fork: a child process drops its parent's call", CALL, "if (awaited_ != number || core_->in_child()) return;",
     "if (awaited_ != number) return;"),
    ("fork: a stop in a child process reaches its parent's calls", STOP,
     "if (callbacks.in_child()) return true;  // this process has no callbacks", ""),
    ("fork: a stop in a child process is not heard there", STOP, "while (found->in_child()) {", "while (false) {"),
    ("call: the time that signing takes counts for nothing", CALL,
     "options.deadline -= (std::max)(spent - of_the_pause, milliseconds(0));", ""),
    ("attempts: a try is signed after the deadline", ATTEMPTS, "if (left(now) <= milliseconds(0)) return without_next_try",
     "if (left(now) <= milliseconds(-100000)) return without_next_try"),
    ("attempts: an echoed signature is told", ATTEMPTS, "  redact(result, signatures_);", ""),
    ("relay: rows are forgotten if the statement after their claim fails", RELAY_DATABASE,
     "  if (!merchants_held_.empty()) look_for_resume();  // not after the claim: if it fails, the rows would be forgotten\n"
     "  std::vector<Row> rows = claim_rows(claim);\n",
     "  std::vector<Row> rows = claim_rows(claim);\n  if (!merchants_held_.empty()) look_for_resume();\n"),
    ("relay: a row is given up while other orders fail, too", DECISIONS, "giving_up.ever && others_succeed && row.age",
     "giving_up.ever && row.age"),
    ("relay: a row is given up though none may be", DECISIONS, "giving_up.ever && others_succeed", "others_succeed"),
    ("relay: a row is given up too young", DECISIONS, "row.age >= giving_up.age &&", ""),
    ("relay: a row is given up too early", DECISIONS, "row.attempts + 1 >= giving_up.attempts;",
     "row.attempts + 3 >= giving_up.attempts;"),
    ("relay: probes follow each other without a longer pause", BREAKER, "pause_ = std::min(2 * pause_, longest_pause);", ""),
    ("relay: queued rows are called during the pause after a 429", RELAY,
     "new_halt_ = std::max(*halt, new_halt_.value_or(*halt));\n    hand_back_queue();",
     "new_halt_ = std::max(*halt, new_halt_.value_or(*halt));"),
    ("relay: what failed counts as done", DECISIONS, "if (meaning == Meaning::credited) {\n    Settlement made",
     "if (meaning == Meaning::credited || row.attempts > 2) {\n    if (!result) return settlement(row, token, Fate::done);\n"
     "    Settlement made"),
    # Blind spots that a review of the simulation had found.
    ("advice: a gateway's code NOT_FOUND is believed", STAGES + "advice.hpp",
     '"RULE_LIMIT", "REQUEST_BLOCKED",',
     '"RULE_LIMIT", "NOT_FOUND", "REQUEST_BLOCKED",'),
    ("advice: a system error in a 4xx is believed", STAGES + "advice.hpp",
     "is_wechat_pays(answer) &&\n"
     "                                            is_documented_refusal(answer.code));",
     "is_wechat_pays(answer));"),
    ("batch: what its source throws is lost", BATCH,
     "if (failure_ != nullptr) std::rethrow_exception(failure_);", ""),
    ("attempts: each outcome is unknown", ATTEMPTS,
     "if (!result) outcome_ = worse(outcome_, result.error().outcome);",
     "if (!result) outcome_ = Outcome::unknown;"),
    ("answer: a refusal after a try in doubt is believed", STAGES + "answer.hpp",
     "  if (contradicts) error.remedy = Remedy::retry_later;\n", ""),
    ("client: renewed credentials are not used", CLIENT,
     "  core.renew(stages::shared(std::move(credentials)));\n", ""),
    ("retry: a success that does not verify is not tried again", RETRY,
     "case ErrorKind::unverified_answer: return true;",
     "case ErrorKind::unverified_answer: return false;"),
    ("attempts: a wrong request is sent", ATTEMPTS,
     "if (auto faults = request.check(); !faults.empty()) return CommitResult(invalid_request(std::move(faults)));", ""),
    ("attempts: what was stopped before is sent", ATTEMPTS,
     "if (options_.stop.stop_requested()) return CommitResult(stopped_before_it_began());", ""),
    ("attempts: a later try has the nonce of the first", ATTEMPTS,
     "  auto fresh_nonce = nonce();\n",
     "  auto fresh_nonce = nonce_str_.empty() ? nonce() : Result<std::string>(nonce_str_);\n"),
    ("attempts: a later try has the time of its decision", ATTEMPTS,
     "timestamp_ = unix_time(now.wall + pause);",
     "timestamp_ = unix_time(now.wall);"),
    ("retry: tried again after a final answer", RETRY,
     "        case 408: return !error.verified();\n"
     "        default: return false;",
     "        case 408: return !error.verified();\n"
     "        default: return true;"),
    ("relay: what is not refused because of its content is dead", MEANING,
     "if (error.remedy == Remedy::correct_request && error.outcome",
     "if (error.outcome"),
    ("relay: a missing permission counts as a refusal", MEANING,
     "if (error.remedy == Remedy::ask_wechat_pay) return Meaning::permission_missing;",
     "if (error.remedy == Remedy::ask_wechat_pay) return Meaning::refused;"),
    ("relay: an order that is done with other points is called", DECISIONS,
     '  if (row.contradicted) return dead(row, token, "conflict", "the same order was committed with other points");\n', ""),
    ("relay: workers do not share the rate", RELAY_DATABASE,
     "  claim.pace = options_.pace;\n", ""),
    ("relay: other workers are not halted", RELAY_DATABASE,
     '      store_->halt(options_.owner.merchant, *new_halt_, "WeChat Pay answered 429");\n', ""),
    ("relay: a 429 halts nobody", MEANING,
     "made.http_status() == 429;",
     "made.http_status() == 420;"),
    ("relay: rows do not wait for their delay", RELAY_DATABASE,
     "  claim.delay = options_.delay;\n", ""),
    ("relay: no row is suspect", DECISIONS,
     "bool is_suspect(const Row& row) { return row.claims > row.attempts + 5; }",
     "bool is_suspect(const Row& row) { return row.claims < row.attempts; }"),
    ("relay: a whole batch is called though no result can be written", RELAY_DATABASE,
     "  if (!can_settle_) return 1;\n", ""),
    ("relay: a second call is made though no result can be written", RELAY_DATABASE,
     "  if (!can_settle_ && !(held_.empty() && pending_.empty())) return 0;\n", ""),
    ("relay: a stop does not wait for calls", RELAY,
     "give_up_at_ = now() + Lease::deadline(options_.lease) + std::chrono::seconds(5);",
     "give_up_at_ = now();"),
    ("relay: a failed call does not count", DECISIONS,
     "Settlement made = settlement(row, token, Fate::wait);",
     "Settlement made = settlement(row, token, Fate::hand_back);"),
    ("relay: the pause after a failure does not grow", DECISIONS,
     "made.pause = meaning == Meaning::permission_missing ? permission_pause : backoff(row.attempts, random);",
     "made.pause = meaning == Meaning::permission_missing ? permission_pause : backoff(0, random);"),
    ("relay: a refused card holds its merchant", RELAY,
     "merchants_held_[of_all_cards ? merchant : card_of(held.row.order)] =",
     "merchants_held_[of_all_cards || !of_all_cards ? merchant : card_of(held.row.order)] ="),
    ("relay: a refused merchant holds one card", RELAY,
     "merchants_held_[of_all_cards ? merchant : card_of(held.row.order)] =",
     "merchants_held_[of_all_cards && result ? merchant : card_of(held.row.order)] ="),
    ("relay: a refused merchant's rows are not held", RELAY,
     "  if (merchants_held_.empty()) return std::nullopt;\n",
     "  if (!merchants_held_.empty()) return std::nullopt;\n"),
    ("relay: a row is given up while several orders fail", BREAKER,
     "closed_ && failures_ <= 1 && now",
     "closed_ && now"),
    ("queue: does not tell that no connection was free", QUEUE,
     "busy ? TransportFault::no_free_connection : TransportFault::timeout,",
     "TransportFault::timeout,"),
    ("queue: waits for a connection that does not open", QUEUE,
     "host.alone_until = now + patience_;",
     "host.alone_until = never;"),
    ("queue: last come, first served", QUEUE,
     "    const auto first = host.waiting.begin();\n",
     "    const auto first = std::prev(host.waiting.end());\n"),
    ("queue: what is new goes first", QUEUE,
     "if (host.waiting.empty() && has_room(host, now)) return start",
     "if (has_room(host, now)) return start"),
    ("attempts: what was stopped counts as not sent", ATTEMPTS,
     "if (cancelled) error.transport_fault = TransportFault::cancelled;",
     "if (cancelled) error.transport_fault = TransportFault::cancelled, error.outcome = Outcome::not_sent;"),
    ("commit(): the waiting thread does not hear of a task", PROMISE,
     "return result || task; });",
     "return result.has_value(); });"),
    ("commit(): the waiting thread does not do its task", PROMISE,
     "      work();\n"
     "      work = nullptr;",
     "      work = nullptr;"),
    ("relay: a resume ends no hold", RELAY_DATABASE,
     "  if (resume != last_resume_) merchants_held_.clear();\n", ""),
    ("relay: a merchant id that is refused ends the worker", MEANING,
     "return of_the_order ? Meaning::setup_doubtful : Meaning::setup_wrong;",
     "return of_the_order ? Meaning::setup_wrong : Meaning::setup_wrong;"),
    ("relay: a merchant id that is refused after a try in doubt ends the worker", MEANING,
     "of_the_order = error.verified()", "of_the_order = error.outcome == Outcome::refused && error.verified()"),
    ("relay: a row whose merchant id is refused dies after a try in doubt", DECISIONS,
     " && error.outcome == Outcome::refused &&", " &&"),
    ("relay: a row whose merchant id is refused dies too early", DECISIONS,
     "constexpr int tries_of_a_doubtful_setup = 5;",
     "constexpr int tries_of_a_doubtful_setup = 3;"),
    ("relay: a merchant whose id is refused is not held", RELAY,
     "    merchants_held_[merchant] = {now + doubtful_pause, true};\n",
     "    merchants_held_[merchant] = {now, true};\n"),
]

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPY = ROOT / "build" / "breaks"
BUILD = COPY / "build" / "dev"
SIMULATION = BUILD / "tests" / "simulation" / "simulation"


def build():
    return subprocess.run(["cmake", "--build", BUILD, "--target", "simulation"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)


def prepare():
    """Copies the sources. Each is newer than what was built of the last break before, so that this is built again."""
    COPY.mkdir(parents=True, exist_ok=True)
    for part in ("CMakeLists.txt", "cmake", "examples", "include", "src", "tests", "README.md"):
        source, target = ROOT / part, COPY / part
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(source, target)
    os.environ.update(CCACHE_BASEDIR=str(COPY), CCACHE_NOHASHDIR="1", CCACHE_SLOPPINESS="pch_defines,time_macros")
    launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
    subprocess.run(["cmake", "-S", COPY, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
                    "-DCMAKE_CXX_FLAGS_DEBUG=-g0 -O1", *launcher], stdout=subprocess.DEVNULL, check=True)
    built = build()
    if built.returncode != 0:
        sys.exit(built.stdout)


def find(name, file, old, new):
    """What the simulation says of the break."""
    path = COPY / file
    whole = path.read_text()
    if whole.count(old) != 1:
        return f"NOT PUT IN: its place is there {whole.count(old)} times"
    path.write_text(whole.replace(old, new))
    try:
        built = build()
        if built.returncode != 0:
            return "NOT BUILT: " + " ".join(line for line in built.stdout.splitlines() if "error:" in line)[:300]
        begun = time.monotonic()
        relays = ["--only", "relays"] if name.startswith("relay") else []
        ran = subprocess.run([SIMULATION, "--seed", "1", "--seconds", "60", "--shrink", "0", *relays], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True, check=False)
        found = [line for line in ran.stdout.splitlines() if line.startswith("seed ")]
        if not found:
            return "NOT FOUND"
        took = time.monotonic() - begun
        return f"{'found' if took <= 60 else 'FOUND TOO LATE,'} after {took:.0f} s by {found[0]}"
    finally:
        path.write_text(whole)


def main():
    outdated = [name for name, file, old, _ in BREAKS if (ROOT / file).read_text().count(old) != 1]
    if outdated:
        sys.exit("not in the sources any more, or more than once: " + "; ".join(outdated))
    if sys.argv[1:] == ["--check"]:
        return
    prepare()
    missed = 0
    for name, file, old, new in BREAKS:
        if len(sys.argv) > 1 and not any(word in name for word in sys.argv[1:]):
            continue
        said = find(name, file, old, new)
        missed += not said.startswith("found")
        print(f"{name}\n    {said}", flush=True)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
