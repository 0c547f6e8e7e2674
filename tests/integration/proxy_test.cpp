// A request goes through the proxy, or the proxy is refused. No request ever goes directly to the server.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/sending.hpp"
#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit {

namespace {

/// Users and passwords in forms that people write, valid and invalid.
std::vector<std::string> user_infos() {
  return {"",
          "user@",
          "user:@",
          ":password@",
          ":@",
          "user:p%40ss@",
          "user:%E5%AF%86@",
          "user:abc%1234@",
          "user:%@",
          "user:%4@",
          "user:%zz@",
          "us%0Aer:a@",
          "user:a%2500@",
          "user:a@b@",
          "user:a:b@",
          "user:a/b@",
          "user:a?b@",
          "user:a#b@",
          "user:a;b@",
          "user:a b@",
          "us;er:a@",
          "us%3Aer:a@",
          "@"};
}

/// Users and passwords with each byte.
std::vector<std::string> user_infos_of_each_byte() {
  std::vector<std::string> all;
  for (int byte = 0; byte < 256; ++byte) {
    const char* const hex = "0123456789abcdef";
    const std::string encoded = {'%', hex[byte / 16], hex[byte % 16]};
    all.push_back("user:" + encoded + "@");
    all.push_back(encoded + ":password@");
    if (byte != 0) all.push_back("user:x" + std::string(1, static_cast<char>(byte)) + "y@");
  }
  return all;
}

/// The first ones in each form of a URL, the others in one.
std::vector<std::string> proxy_urls(const std::string& address) {
  std::vector<std::string> all;
  for (const std::string& user_info : user_infos()) {
    for (const char* const scheme : {"http://", "", "HTTP://"}) all.push_back(scheme + user_info + address);
    all.push_back("http://" + user_info + address + "/");
  }
  for (const std::string& user_info : user_infos_of_each_byte()) all.push_back("http://" + user_info + address);
  return all;
}

TEST(Proxy, IsGoneThroughOrRefusedWhateverItsUserAndPassword) {
  const RawServer server([](RawServer::Connection& connection, int) {
    while (!connection.read_request().empty()) connection.write("HTTP/1.1 204 No Content\r\n\r\n");
  });
  // The proxy refuses every request, so any request that reaches the server was sent directly.
  const ConnectProxy proxy("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
  const std::string address = proxy.url().substr(7);
  CurlOptions options;
  options.ca_bundle_file = RawServer::ca_file();
  std::size_t gone_through = 0;
  for (const std::string& url : proxy_urls(address)) {
    options.proxy = url;
    const auto curl = CurlTransport::create(options);
    if (!curl) {
      EXPECT_TRUE(contains(curl.error().message, "CurlOptions::proxy")) << curl.error().message;
      continue;
    }
    EXPECT_FALSE(send(**curl, request_to(server.origin()))) << url;
    EXPECT_EQ(proxy.requests().size(), ++gone_through) << url;
  }
  EXPECT_GT(gone_through, 100U);
  EXPECT_EQ(server.connections(), 0) << "nothing has gone directly";
}

TEST(Proxy, IsGoneThroughOrRefusedWhateverItsScheme) {
  const RawServer server([](RawServer::Connection&, int) {});
  const Listener deaf([](int, int) {});
  const std::string address = "127.0.0.1:" + std::to_string(deaf.port());
  CurlOptions options;
  options.ca_bundle_file = RawServer::ca_file();
  int gone_through = 0;
  for (const char* scheme : {"http", "https", "socks", "socks4", "socks4a", "socks5", "socks5h", "SOCKS5", "ftp",
                             "file", "socks6", "", "quic"}) {
    for (const char* user_info : {"", "user@", "user:password@", "user:%01@", "%0a@"}) {
      options.proxy = std::string(scheme) + "://" + user_info + address;
      const auto curl = CurlTransport::create(options);
      if (!curl) continue;
      EXPECT_EQ(send(**curl, request_to(server.origin())).error().outcome, Outcome::not_sent);
      EXPECT_EQ(deaf.connections(), ++gone_through) << options.proxy;
    }
  }
  EXPECT_GT(gone_through, 10);
  EXPECT_EQ(server.connections(), 0) << "nothing has gone directly";
}

TEST(Proxy, GetsItsUserAndPasswordAsTheyAreMeant) {
  const RawServer server([](RawServer::Connection& connection, int) {
    connection.read_request();
    connection.write("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  });
  const ConnectProxy proxy;
  CurlOptions options;
  options.proxy = "http://user:p%40s%25s@" + proxy.url().substr(7);
  const auto curl = trusting_transport(options);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(send(*curl, request_to(server.origin())));
  ASSERT_EQ(proxy.requests().size(), 2U);
  for (const std::string& head : proxy.requests()) {
    EXPECT_TRUE(contains(head, "Proxy-Authorization: Basic dXNlcjpwQHMlcw==\r\n")) << head << "user:p@s%s";
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit
