/// The transfers of a CurlTransport, on libcurl's multi interface.
#ifndef WECHATPAY_SRC_CURL_ENGINE_HPP
#define WECHATPAY_SRC_CURL_ENGINE_HPP

#include <curl/curl.h>

#include <algorithm>
#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <utility>

#if !defined(_WIN32)
#include <unistd.h>

#include <csignal>
#endif

#include "src/curl_exchange.hpp"
#include "src/openssl/handles.hpp"
#include "wechatpay/bonus_commit/curl_transport.hpp"

namespace wechatpay::curl {

/// Makes a thread of the user's fit for libcurl: neither SIGPIPE, which some TLS libraries raise when they write to a
/// connection that the server has reset, nor pthread_cancel() comes through, and threads that libcurl starts from here
/// (for name lookups) inherit that no signal does.
class CallersThread {
 public:
#if defined(_WIN32)
  CallersThread() = default;
  template <typename Wait>
  void wait(const Wait& waiting) const {
    waiting();
  }
#else
  CallersThread() noexcept {
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state_);
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
    while_waiting_ = before_;
    sigaddset(&while_waiting_, SIGPIPE);
  }
  ~CallersThread() {
    if (sigismember(&before_, SIGPIPE) != 1) take_sigpipe();
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    pthread_setcancelstate(cancel_state_, nullptr);
  }

  /// The user's signal handlers run meanwhile, as in any call that blocks.
  template <typename Wait>
  void wait(const Wait& waiting) const {
    pthread_sigmask(SIG_SETMASK, &while_waiting_, nullptr);
    waiting();
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
  }
#endif
  CallersThread(const CallersThread&) = delete;
  CallersThread& operator=(const CallersThread&) = delete;

#if !defined(_WIN32)
 private:
  static void take_sigpipe() noexcept {
    sigset_t sigpipe;
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
#if defined(__APPLE__)
    sigset_t pending;
    int taken = 0;
    if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1) sigwait(&sigpipe, &taken);
#else
    const timespec at_once{};
    sigtimedwait(&sigpipe, nullptr, &at_once);
#endif
  }

  int cancel_state_ = 0;
  sigset_t before_{};
  sigset_t while_waiting_{};
#endif
};

/// All of libcurl. Requests come in through submit(); turn() admits them, lets them wait where they must, hands them to
/// libcurl and completes them. Where memory is short, a request ends with an error and the others go on.
///
/// One thread at a time has the wheel, and with it everything that the mutex does not guard. Mostly that is the
/// engine's own thread, which lets go of it when nothing is left to do. Then a caller that waits for its call may take
/// the wheel and serve that one call, which saves two changes of threads; as soon as another comes in, it hands over.
/// In an EventLoop of the user's there is no thread and no wheel: the loop's thread does everything.
class Engine : public std::enable_shared_from_this<Engine> {
 public:
  explicit Engine(CurlOptions options) : options_(std::move(options)), loop_(options_.event_loop.get()) {}

  bool initialize() {
    share_.reset(curl_share_init());
    multi_ = make_multi();
    return share_ != nullptr && multi_ != nullptr &&
           curl_share_setopt(share_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK &&
           curl_share_setopt(share_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK &&
           Exchange::make(options_, share_.get()) != nullptr;
  }

  void submit(HttpRequest request, Transport::Completion done) {
    if (in_child()) {
      Error error;
      error.kind = ErrorKind::misuse;
      error.message = "the transport was made before fork() and this is the child: make one of its own here";
      return done(std::move(error));
    }
    if (request.timeout.count() <= 0) request.timeout = options_.total_timeout;
    if (request.deadline.count() <= 0) request.deadline = request.timeout;
    for (milliseconds* span : {&request.timeout, &request.deadline, &request.send_after}) {
      *span = std::min(*span, milliseconds(longest_timeout));  // beyond it, adding to a point in time could overflow
    }
    const std::shared_ptr<Cancellation> cancellation = request.cancellation;
    const std::shared_ptr<WaitingCaller> caller = waiting_caller(request);
    std::function<void()> listener;
    std::function<void()> work;
    Queue incoming;
    try {
      incoming.push_back(std::make_unique<Transfer>());
      if (cancellation != nullptr) {
        listener = [weak = weak_from_this()] {
          if (const auto engine = weak.lock()) engine->look_for_cancelled();
        };
      }
      if (caller != nullptr) work = [engine = shared_from_this()] { engine->serve(); };
    } catch (const std::bad_alloc&) {
      return done(transport_error(TransportFault::other, Outcome::not_sent, "out of memory"));
    }
    Transfer& transfer = *incoming.front();
    transfer.start = Clock::now() + request.send_after;
    transfer.deadline = transfer.start + request.deadline;
    transfer.request = std::move(request);
    transfer.done = std::move(done);
    const Acceptance accepted = accept(incoming, caller != nullptr);
    if (accepted.why_not != nullptr) return transfer.complete(accepted.fault, Outcome::not_sent, accepted.why_not);
    if (accepted.has_wheel) caller->work = std::move(work);
    if (cancellation != nullptr) cancellation->listen(std::move(listener));
  }

  /// Completes everything and ends the thread; waits for it unless called on it, or by who has the wheel. In a child
  /// after fork() there is no thread, and what is open is the parent's: it is left as it is.
  void stop() noexcept {
    if (in_child()) {
      // For good: its end would close the parent's connections.
      static_cast<void>(new (std::nothrow) std::shared_ptr<Engine>(shared_from_this()));
      return;
    }
    bool at_the_wheel = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
      at_the_wheel = driver_ == std::this_thread::get_id();
      if (loop_ == nullptr) wake();
    }
    if (loop_ != nullptr) {
      if (!at_the_wheel) end();
    } else if (!thread_.joinable()) {
      return;
    } else if (at_the_wheel) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }

 private:
  using Exchanges = std::list<std::unique_ptr<Exchange>>;

  /// Whether a request is taken, and whether the calling thread got the wheel to serve it.
  struct Acceptance {
    TransportFault fault = TransportFault::none;
    const char* why_not = nullptr;
    bool has_wheel = false;
  };

  /// Where a transfer waits, in the order of deadlines.
  struct Expiry {
    Clock::time_point deadline;
    Lane* lane;
    Queue::iterator place;
    bool operator<(const Expiry& other) const {
      return deadline != other.deadline ? deadline < other.deadline : place->get() < other.place->get();
    }
  };

  /// Who may serve `request` on the calling thread; null: nobody. What waits for its start is left to the engine's
  /// thread, which closes idle connections meanwhile.
  std::shared_ptr<WaitingCaller> waiting_caller(const HttpRequest& request) const {
    const auto& caller = request.waiting_caller;
    const bool can_serve = caller != nullptr && caller->thread == std::this_thread::get_id() &&
                           caller->work == nullptr && request.send_after.count() <= 0 && loop_ == nullptr;
    return can_serve ? caller : nullptr;
  }

  bool in_child() const noexcept {
#if defined(_WIN32)
    return false;
#else
    return process_ != getpid();
#endif
  }

  MultiHandle make_multi() {
    MultiHandle multi(curl_multi_init());
    // Room for the connections to two hosts; by default libcurl would close them as soon as fewer calls are under way.
    const auto kept = static_cast<long>(std::min<std::size_t>(2 * options_.max_connections, 1U << 16U));
    const auto set = [&multi](CURLMoption option, auto value) {
      return curl_multi_setopt(multi.get(), option, value) == CURLM_OK;
    };
    if (multi == nullptr || !set(CURLMOPT_MAXCONNECTS, kept)) return nullptr;
    if (loop_ != nullptr &&
        !(set(CURLMOPT_SOCKETFUNCTION, &Engine::watch_socket) && set(CURLMOPT_SOCKETDATA, static_cast<void*>(this)) &&
          set(CURLMOPT_TIMERFUNCTION, &Engine::note_timer) && set(CURLMOPT_TIMERDATA, static_cast<void*>(this)))) {
      return nullptr;
    }
    return multi;
  }

  /// Takes over what is in `incoming`, unless it says why not, or gives the wheel to the caller that waits.
  Acceptance accept(Queue& incoming, bool caller_can_serve) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) return {TransportFault::shut_down, "the transport is being destroyed", false};
    if (loop_ == nullptr && !thread_.joinable() && !start_thread()) {
      return {TransportFault::other, "no thread could be started", false};
    }
    if (caller_can_serve && driver_ == nobody && !called()) {
      driver_ = std::this_thread::get_id();
      served_.splice(served_.end(), incoming);
      return {TransportFault::none, nullptr, true};
    }
    if (incoming_.empty() && !wake()) return {TransportFault::other, "libcurl could not be woken", false};
    incoming_.splice(incoming_.end(), incoming);
    return {};
  }

  /// Under the lock.
  bool start_thread() {
#if !defined(_WIN32)
    // The thread inherits the mask: the user's signal handlers do not run on it, and SIGPIPE never reaches the process.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
    try {
      thread_ = std::thread([self = shared_from_this()] { self->run(); });
    } catch (const std::exception&) {
    }
#if !defined(_WIN32)
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
#endif
    return thread_.joinable();
  }

  /// Under the lock: makes whoever has the wheel, or is to take it, look. Who is woken before it waits does not wait.
  bool wake() noexcept {
    if (loop_ != nullptr) return post_turn();
    if (driver_ == nobody) {
      changed_.notify_all();
      return true;
    }
    for (int attempt = 0; attempt < 3; ++attempt) {
      if (curl_multi_wakeup(multi_.get()) == CURLM_OK) return true;
    }
    return false;
  }

  void look_for_cancelled() noexcept {
    if (in_child()) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    cancelled_ = true;
    wake();
  }

  /// Under the lock, while nobody has the wheel: whether somebody must take it.
  bool called() const { return asked() || has_work(); }

  /// Under the lock: whether there is something from outside that who has the wheel has not taken in.
  bool asked() const { return stopping_ || cancelled_ || !incoming_.empty(); }

  bool has_work() const { return !under_way_.empty() || !delayed_.empty() || !expiries_.empty(); }

  /// The engine's thread.
  void run() noexcept {
    while (take_wheel()) {
      while (take_incoming()) {
        if (turn()) continue;  // a completion may have sent more
        close_idle_connections();
        if (!has_work()) break;
        wait();
      }
      let_go_of_wheel();
    }
    end();
  }

  /// Waits until there is something to do, and nobody who does it. False when it is time to end.
  bool take_wheel() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (driver_ != nobody || !called()) {
      // While a caller has the wheel, not before what it leaves could be due: else each caller would have to wake it.
      looks_again_ = driver_ != nobody ? Clock::now() + options_.idle_timeout : idle_until();
      if (looks_again_ == never) {
        changed_.wait(lock);
      } else if (changed_.wait_until(lock, looks_again_) == std::cv_status::timeout && driver_ == nobody) {
        break;
      }
    }
    driver_ = std::this_thread::get_id();
    return !stopping_;
  }

  void let_go_of_wheel() {
    const std::lock_guard<std::mutex> lock(mutex_);
    driver_ = nobody;
    if (called() || idle_until() < looks_again_) changed_.notify_all();
  }

  /// On the thread of a caller that waits and has the wheel: serves its request until it is done, or somebody else
  /// calls.
  void serve() noexcept {
    const CallersThread thread;
    delay(served_);
    served_.clear();
    while (true) {
      const bool any = turn();
      if (!has_work() || somebody_calls()) break;
      if (!any) thread.wait([this] { wait(); });
    }
    let_go_of_wheel();
  }

  bool somebody_calls() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return asked();
  }

  /// One round. True if something was completed.
  bool turn() {
    const auto now = Clock::now();
    admit_delayed(now);
    expire_waiting(now);
    for (auto& lane : lanes_) start_waiting(lane.second, now);
    perform();
    ERR_clear_error();  // what libcurl may leave on this thread's queue is none of a completion's business
    return reap();
  }

  /// False when it is time to end.
  bool take_incoming() {
    Queue incoming;
    bool stopping = false;
    bool cancelled = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      incoming.swap(incoming_);
      stopping = stopping_;
      cancelled = std::exchange(cancelled_, false);
    }
    delay(incoming);
    if (cancelled) end_cancelled();
    return !stopping;
  }

  /// Lets requests wait for their start.
  void delay(Queue& requests) {
    for (auto& transfer : requests) {
      try {
        const auto start = transfer->start;
        delayed_.emplace(start, std::move(transfer));
      } catch (const std::bad_alloc&) {
        transfer->complete(TransportFault::other, Outcome::not_sent, "out of memory");
      }
    }
  }

  void end_cancelled() {
    const char* const unsent = "taken back before it was sent";
    for (auto at = delayed_.begin(); at != delayed_.end();) {
      if (at->second->cancelled()) {
        at->second->complete(TransportFault::cancelled, Outcome::not_sent, unsent);
        at = delayed_.erase(at);
      } else {
        ++at;
      }
    }
    for (auto at = expiries_.begin(); at != expiries_.end();) {
      const Expiry& expiry = *at++;
      if (!(*expiry.place)->cancelled()) continue;
      take_waiting(expiry)->complete(TransportFault::cancelled, Outcome::not_sent, unsent);
    }
    for (auto at = under_way_.begin(); at != under_way_.end();) {
      Exchange& exchange = **at++;
      if (exchange.transfer->cancelled()) abandon(exchange, TransportFault::cancelled, "given up while under way");
    }
  }

  void admit_delayed(Clock::time_point now) {
    while (!delayed_.empty() && delayed_.begin()->first <= now) {
      auto transfer = std::move(delayed_.begin()->second);
      delayed_.erase(delayed_.begin());
      Queue admitted;
      try {
        Lane& lane = lanes_[transfer->request.origin];
        admitted.push_back(std::move(transfer));
        expiries_.insert({admitted.front()->deadline, &lane, admitted.begin()});
        lane.waiting.splice(lane.waiting.end(), admitted);
      } catch (const std::bad_alloc&) {
        Transfer& lost = transfer != nullptr ? *transfer : *admitted.front();
        lost.complete(TransportFault::other, Outcome::not_sent, "out of memory");
      }
    }
  }

  void expire_waiting(Clock::time_point now) {
    while (!expiries_.empty() && expiries_.begin()->deadline <= now) {
      take_waiting(*expiries_.begin())
          ->complete(TransportFault::no_free_connection, Outcome::not_sent,
                     "no connection became free in time: too many calls for CurlOptions::max_connections");
    }
  }

  std::unique_ptr<Transfer> take_waiting(const Expiry& expiry) {
    const Expiry taken = expiry;
    expiries_.erase(taken);
    auto transfer = std::move(*taken.place);
    taken.lane->waiting.erase(taken.place);
    return transfer;
  }

  void start_waiting(Lane& lane, Clock::time_point now) {
    while (!lane.waiting.empty() && lane.running < options_.max_connections) {
      const auto first = lane.waiting.begin();
      auto transfer = take_waiting({(*first)->deadline, &lane, first});
      if (const char* const refusal = start(transfer, lane, now)) {
        transfer->complete(TransportFault::other, Outcome::not_sent, refusal);
      }
    }
  }

  /// Hands `transfer` to libcurl, unless it says why not.
  const char* start(std::unique_ptr<Transfer>& transfer, Lane& lane, Clock::time_point now) {
    try {
      if (idle_.empty()) idle_.push_back(Exchange::make(options_, share_.get()));
    } catch (const std::bad_alloc&) {
    }
    if (idle_.empty()) return "out of memory";
    const auto place = std::prev(idle_.end());
    if (*place == nullptr) {
      idle_.erase(place);
      return "libcurl could not make a handle";
    }
    Exchange& exchange = **place;
    const auto left = std::chrono::ceil<milliseconds>(transfer->deadline - now);
    transfer->turn = now;
    const milliseconds timeout = std::max(std::min(left, transfer->request.timeout), milliseconds(1));
    if (!exchange.prepare(*transfer, timeout, now < lane.distrusted_until) ||
        curl_multi_add_handle(multi_.get(), exchange.easy()) != CURLM_OK) {
      return "libcurl refused the request: check its origin, path and headers";
    }
    exchange.transfer = std::move(transfer);
    exchange.lane = &lane;
    exchange.place = place;
    under_way_.splice(under_way_.end(), idle_, place);
    ++lane.running;
    return nullptr;
  }

  /// Takes an exchange out of libcurl and of the counts; its transfer is still to be completed.
  void release(Exchange& exchange) {
    curl_multi_remove_handle(multi_.get(), exchange.easy());
    ERR_clear_error();
    --exchange.lane->running;
    idle_.splice(idle_.end(), under_way_, exchange.place);
    if (under_way_.empty()) idle_since_ = Clock::now();
  }

  void abandon(Exchange& exchange, TransportFault fault, const char* message) {
    release(exchange);
    exchange.abandon(fault, message);
  }

  void perform() {
    int running = 0;
    const CURLMcode code = loop_ == nullptr
                               ? curl_multi_perform(multi_.get(), &running)
                               : curl_multi_socket_action(multi_.get(), std::exchange(ready_, CURL_SOCKET_TIMEOUT),
                                                          std::exchange(ready_for_, 0), &running);
    if (code == CURLM_OK) return;
    while (!under_way_.empty()) abandon(*under_way_.front(), TransportFault::other, "libcurl gave up on all transfers");
  }

  /// Completes what libcurl has finished; true if there was any.
  bool reap() {
    bool any = false;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      Exchange& exchange = Exchange::of(message->easy_handle);
      release(exchange);
      judge(exchange, code);
      exchange.complete(code);
      any = true;
    }
    return any;
  }

  /// Over HTTP/2, libcurl ends a stream that timed out and goes on using its connection, dead or not. So, for a while,
  /// no connection to that host is used again, until the one in question was idle for long enough to be closed.
  void judge(const Exchange& exchange, CURLcode code) const {
    Lane& lane = *exchange.lane;
    if (code == CURLE_OK) lane.http2 = exchange.spoke_http2();
    if (code == CURLE_OPERATION_TIMEDOUT && lane.http2) {
      lane.distrusted_until = Clock::now() + options_.idle_timeout + std::chrono::seconds(1);
    }
  }

  /// When the idle connections are to be closed; never where there are none.
  Clock::time_point idle_until() const {
    const bool holds_some = under_way_.empty() && idle_since_ != Clock::time_point();
    return holds_some ? idle_since_ + options_.idle_timeout : never;
  }

  /// libcurl closes a connection that was idle for too long only when the next transfer looks for one, so all are
  /// closed with the multi handle. Names and TLS sessions stay in the share.
  void close_idle_connections() {
    if (Clock::now() < idle_until()) return;
    idle_since_ = {};
    MultiHandle fresh = make_multi();
    if (fresh == nullptr) return;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      multi_.swap(fresh);
      // Who came in since take_incoming() has woken the old one.
      if (asked()) wake();
    }
    idle_.clear();
  }

  /// When there will be something to do, if nothing happens before.
  Clock::time_point next_moment() const {
    Clock::time_point next = never;
    if (!delayed_.empty()) next = std::min(next, delayed_.begin()->first);
    if (!expiries_.empty()) next = std::min(next, expiries_.begin()->deadline);
    next = std::min(next, idle_until());
    return loop_ == nullptr ? next : std::min(next, libcurl_timer_);
  }

  /// What curl_multi_poll() and timers take: rounded up, so that nobody wakes too early, and at most a day.
  static milliseconds until(Clock::time_point moment) {
    const auto now = Clock::now();
    if (moment <= now) return milliseconds(0);
    if (moment - now > longest_timeout) return longest_timeout;
    return std::chrono::ceil<milliseconds>(moment - now);
  }

  void wait() {
    const auto longest = static_cast<int>(until(next_moment()).count());
    if (curl_multi_poll(multi_.get(), nullptr, 0, longest, nullptr) == CURLM_OK) return;
    // It may fail again and again: neither end for that, nor take the whole processor.
    std::this_thread::sleep_for(milliseconds(10));
  }

  /// Under the lock: a turn in the user's loop.
  bool post_turn() noexcept {
    try {
      loop_->post([weak = weak_from_this()] {
        if (const auto engine = weak.lock()) engine->turn_in_loop(CURL_SOCKET_TIMEOUT, 0);
      });
      return true;
    } catch (...) {
      return false;
    }
  }

  /// On the user's loop, which called since `socket` is ready `for_what`, or time has come, or there are requests.
  void turn_in_loop(curl_socket_t socket, int for_what) noexcept {
    const auto self = shared_from_this();
    if (in_child() || multi_ == nullptr) return;
    ready_ = socket;
    ready_for_ = for_what;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      driver_ = std::this_thread::get_id();
    }
    bool going_on = take_incoming();
    while (going_on && turn()) going_on = take_incoming();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      driver_ = nobody;
      going_on = !stopping_;
    }
    if (!going_on) return end();
    close_idle_connections();
    set_timer();
  }

  /// The user's timer for the next moment, unless it is set so already.
  void set_timer() noexcept {
    const auto next = next_moment();
    if (next == timer_) return;
    timer_ = next;
    try {
      if (next == never) return loop_->set_timer(milliseconds(0), nullptr);
      loop_->set_timer(until(next), [weak = weak_from_this()] {
        const auto engine = weak.lock();
        if (engine == nullptr) return;
        engine->timer_ = never;
        engine->turn_in_loop(CURL_SOCKET_TIMEOUT, 0);
      });
    } catch (...) {
      // Without a timer, nothing that waits would ever end.
      timer_ = never;
      const char* const why = "EventLoop::set_timer() failed";
      complete_all(TransportFault::other, why, why);
    }
  }

  static int watch_socket(CURL* /*easy*/, curl_socket_t socket, int what, void* user, void* /*of_socket*/) noexcept {
    Engine& self = *static_cast<Engine*>(user);
    try {
      EventLoop::Ready ready;
      if (what != CURL_POLL_REMOVE) {
        ready = [weak = self.weak_from_this(), socket](bool readable, bool writable) {
          const auto engine = weak.lock();
          const int events = (readable ? CURL_CSELECT_IN : 0) | (writable ? CURL_CSELECT_OUT : 0);
          if (engine != nullptr) engine->turn_in_loop(socket, events);
        };
      }
      const bool reading = what == CURL_POLL_IN || what == CURL_POLL_INOUT;
      const bool writing = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;
      self.loop_->watch(static_cast<EventLoop::Socket>(socket), reading, writing, std::move(ready));
      return 0;
    } catch (...) {
      return -1;
    }
  }

  static int note_timer(CURLM* /*multi*/, long delay, void* user) noexcept {
    static_cast<Engine*>(user)->libcurl_timer_ = delay < 0 ? never : Clock::now() + milliseconds(delay);
    return 0;
  }

  void complete_all(TransportFault fault, const char* under_way, const char* unsent) {
    while (!under_way_.empty()) abandon(*under_way_.front(), fault, under_way);
    while (!expiries_.empty()) take_waiting(*expiries_.begin())->complete(fault, Outcome::not_sent, unsent);
    while (!delayed_.empty()) {
      const auto transfer = std::move(delayed_.begin()->second);
      delayed_.erase(delayed_.begin());
      transfer->complete(fault, Outcome::not_sent, unsent);
    }
  }

  void end() {
    take_incoming();
    complete_all(TransportFault::shut_down, "the transport was destroyed while the call was under way",
                 "the transport was destroyed before the request was sent");
    idle_.clear();
    MultiHandle ended;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ended.swap(multi_);
    }
    ended.reset();
    idle_since_ = {};
    libcurl_timer_ = never;
    if (loop_ != nullptr) set_timer();
  }

  static constexpr Clock::time_point never = (Clock::time_point::max)();
  static inline const std::thread::id nobody{};

  const CurlOptions options_;
  EventLoop* const loop_;  ///< the user's; null: the thread is the engine's own
#if !defined(_WIN32)
  const pid_t process_ = getpid();
#endif

  std::mutex mutex_;  ///< guards these; the rest belongs to who has the wheel
  std::condition_variable changed_;
  std::thread::id driver_;  ///< has the wheel
  Queue incoming_;
  bool stopping_ = false;
  bool cancelled_ = false;                 ///< some transfer is
  Clock::time_point looks_again_ = never;  ///< the thread, if nobody wakes it before
  std::thread thread_;
  MultiHandle multi_;  ///< changed under the lock by who has the wheel

  ShareHandle share_;
  std::multimap<Clock::time_point, std::unique_ptr<Transfer>> delayed_;  ///< by their start
  std::map<std::string, Lane> lanes_;                                    ///< by origin
  std::set<Expiry> expiries_;                                            ///< of all that wait in lanes
  Queue served_;                                                         ///< by the caller that has the wheel
  Exchanges under_way_;
  Exchanges idle_;
  Clock::time_point idle_since_{};

  // In the user's loop.
  curl_socket_t ready_ = CURL_SOCKET_TIMEOUT;  ///< what the loop called for, for the next perform()
  int ready_for_ = 0;
  Clock::time_point libcurl_timer_ = never;
  Clock::time_point timer_ = never;  ///< as the loop has it
};

}  // namespace wechatpay::curl

#endif
