/// The server of the benchmarks: nginx with one worker on one core, TLS, and a 204 with a platform signature that is
/// made at the start. The signed message of a 204 contains only timestamp and nonce, so the signature is valid for five
/// minutes.
#ifndef WECHATPAY_TESTS_BENCHMARK_NGINX_HPP
#define WECHATPAY_TESTS_BENCHMARK_NGINX_HPP

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "tests/benchmark/commits.hpp"
#include "tests/support/raw_server.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

/// Runs the command that follows it on one core: 1 for the server and 0 for the client, if there are two cores.
inline void pin_to_core(int core) {
  if (sysconf(_SC_NPROCESSORS_ONLN) < 2) return;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  sched_setaffinity(0, sizeof cores, &cores);
}

class Nginx {
 public:
  /// `program` is the path of nginx. The server offers HTTP/2 if `http2` is set.
  Nginx(const std::string& program, bool http2, const FakeWechatPay& wechat_pay) : port_(port_for_a_program()) {
    std::string signed_headers;
    for (const HttpHeader& header : signed_204(wechat_pay).headers) {
      signed_headers += "add_header " + header.name + " '" + header.value + "' always;\n";
    }
    const ServerPki& pki = ServerPki::get();
    // Over HTTP/2, nginx resets a stream whose body it has not read (curl error 92). A proxied location reads the body.
    const std::string answer =
        http2 ? "location / { proxy_pass http://upstream; proxy_http_version 1.1; proxy_set_header Connection ''; " +
                    signed_headers + "}\n"
              : "location / { " + signed_headers + "return 204; }\n";
    const std::string configuration =
        folder_.write("nginx.conf", "daemon off; master_process off; worker_processes 1; pid " + folder_.path("pid") +
                                        ";\n"
                                        "error_log stderr crit;\n"
                                        "events { worker_connections 10000; }\n"
                                        "http {\n"
                                        "access_log off; keepalive_requests 1000000000; keepalive_timeout 600;\n"
                                        "client_body_temp_path " +
                                        folder_.path("body") + "; proxy_temp_path " + folder_.path("proxy") +
                                        "; fastcgi_temp_path " + folder_.path("f") + "; uwsgi_temp_path " +
                                        folder_.path("u") + "; scgi_temp_path " + folder_.path("s") +
                                        ";\n"
                                        "upstream upstream { server unix:" +
                                        folder_.path("socket") +
                                        "; keepalive 256; }\n"
                                        "server { listen unix:" +
                                        folder_.path("socket") +
                                        "; location / { return 204; } }\n"
                                        "server { listen 127.0.0.1:" +
                                        std::to_string(port_) + " ssl backlog=4096" + (http2 ? " http2" : "") +
                                        "; server_name 127.0.0.1;\n"
                                        "ssl_certificate " +
                                        pki.certificate_file + "; ssl_certificate_key " + pki.key_file +
                                        "; ssl_protocols TLSv1.2 TLSv1.3;\n" + answer + "}\n}\n");
    process_ = fork();
    if (process_ == 0) {
      end_with_the_parent(SIGKILL);
      pin_to_core(1);
      execl(program.c_str(), program.c_str(), "-c", configuration.c_str(), "-p", folder_.path(".").c_str(), nullptr);
      _exit(127);
    }
    wait_until_it_listens();
  }
  Nginx(const Nginx&) = delete;
  Nginx& operator=(const Nginx&) = delete;
  ~Nginx() {
    kill(process_, SIGTERM);
    waitpid(process_, nullptr, 0);
  }

  /// Stops answering until go_on(). Connections stay open.
  void halt() const { kill(process_, SIGSTOP); }
  void go_on() const { kill(process_, SIGCONT); }

  std::string origin() const { return "https://127.0.0.1:" + std::to_string(port_); }

 private:
  void wait_until_it_listens() const {
    for (int attempt = 0; attempt < 2000; ++attempt) {
      if (waitpid(process_, nullptr, WNOHANG) != 0) throw std::runtime_error("nginx has ended");
      const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
      const sockaddr_in address = Listener::loopback(port_);
      const bool up = ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
      ::close(socket);
      if (up) return;
      usleep(5000);
    }
    throw std::runtime_error("nginx does not listen");
  }

  TemporaryFolder folder_;
  std::uint16_t port_;
  pid_t process_;
};

}  // namespace wechatpay::bonus_commit

#endif
