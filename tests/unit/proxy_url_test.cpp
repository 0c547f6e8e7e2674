// Which proxy URLs are refused, and with which messages. tests/integration/proxy_test.cpp sends through accepted ones.
#include "src/curl/proxy_url.hpp"

#include <gtest/gtest.h>

#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit::curl {

namespace {

TEST(ProxyUrl, IsGoodWhereLibcurlUsesItAsItStands) {
  for (const char* url : {"http://proxy:3128", "http://proxy:3128/", "proxy:3128", "proxy", "HTTP://proxy:1",
                          "http://user:p%40ss%3A%2F%3F%23%25word@proxy:3128", "http://user@proxy:65535",
                          "http://user:@proxy:3128", "http://:password@proxy:3128", "http://[::1]:3128",
                          "http://user:password@[::1]", "socks5h://user:password@proxy:1080",
                          "socks4://user@proxy:1080", "socks5://127.0.0.1:1080", "https://proxy:443"}) {
    EXPECT_EQ(proxy_fault(url).value_or(""), "") << url;
  }
}

struct Bad {
  const char* url;
  const char* words;
};

TEST(ProxyUrl, IsRefusedInWordsThatQuoteNothing) {
  for (const Bad& bad : {
           Bad{"http://user:abc%1234hush@proxy:1", "decodes to a control character"},
           Bad{"http://user:%00hush@proxy:1", "decodes to a control character"},
           Bad{"http://us%0Aer:hush@proxy:1", "decodes to a control character"},
           Bad{"http://user:%7Fhush@proxy:1", "decodes to a control character"},
           Bad{"socks5://user:hush%1F@proxy:1", "decodes to a control character"},
           Bad{"http://user:100%hush@proxy:1", "as %25"},
           Bad{"http://user:hush%@proxy:1", "as %25"},
           Bad{"http://user:hush%4@proxy:1", "as %25"},
           Bad{"http://user:hush%2500@proxy:1", "holds %00"},
           Bad{"http://user:hu@sh@proxy:1", "percent-encoded (%40 for @)"},
           Bad{"http://user:hu:sh@proxy:1", "percent-encoded"},
           Bad{"http://user:hu/sh@proxy:1", "percent-encoded"},
           Bad{"http://user:hu#sh@proxy:1", "percent-encoded"},
           Bad{"http://user:hu?sh@proxy:1", "percent-encoded"},
           Bad{"http://user:hu sh@proxy:1", "blank"},
           Bad{"http://user:hush\\@proxy:1", "backslash"},
           Bad{" http://proxy:1", "blank"},
           Bad{"http://proxy:1\n", "control character"},
           Bad{"http://us%3Aer:hush@proxy:1", "RFC 7617"},
           Bad{"socks4a://user:hush@proxy:1", "SOCKS4 knows no password"},
           Bad{"ftp://user:hush@proxy:1", "the scheme must be"},
           Bad{"socks://user:hush@proxy:1", "the scheme must be"},
           Bad{"://user:hush@proxy:1", "the scheme must be"},
           Bad{"http://", "the host is missing"},
           Bad{"http://user:hush@", "the host is missing"},
           Bad{"http://user:hush@:3128", "the host is missing"},
           Bad{"http://hush%20:3128", "no %"},
           Bad{"http://proxy:0", "from 1 to 65535"},
           Bad{"http://proxy:65536", "from 1 to 65535"},
           Bad{"http://proxy:", "from 1 to 65535"},
           Bad{"http://proxy:hush", "from 1 to 65535"},
           Bad{"http://proxy:1/hush", "no path, query or fragment"},
           Bad{"http://proxy:1?hush", "no path, query or fragment"},
           Bad{"http://proxy:1#hush", "no path, query or fragment"},
           Bad{"socks5h://localhost/hush", "no path, query or fragment"},
           Bad{"http://[::1:3128", "from 1 to 65535"},
           Bad{"http://[hush]:3128", "libcurl cannot read it"},
           Bad{"http://:::", "the host is missing"},
       }) {
    const std::string fault = proxy_fault(bad.url).value_or("nothing is wrong with it");
    EXPECT_TRUE(contains(fault, bad.words)) << bad.url << ": " << fault;
    EXPECT_FALSE(contains(fault, "hush")) << fault;
  }
  EXPECT_TRUE(proxy_fault("socks5://user:" + std::string(256, 'x') + "@proxy:1"));
}

}  // namespace
}  // namespace wechatpay::bonus_commit::curl
