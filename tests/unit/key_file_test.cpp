#include "src/openssl/key_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "tests/support/keys.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/curl_transport.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"
#include "wechatpay/bonus_commit/stages/file_name.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

/// The Base64 text of the key file in one line, without the first and last line of the file.
std::string base64_of_key() {
  std::string text;
  for (const char c : test_key_pem().substr(0, test_key_pem().find("-----END"))) {
    text += c == '\n' ? "" : std::string(1, c);
  }
  return text.substr(text.rfind('-') + 1);
}

/// The messages of every function that takes a file name, if `secret` is passed instead.
std::vector<std::string> messages_of_all(const std::string& secret) {
  const TemporaryFolder folder;
  const auto certificate = folder.write("apiclient_cert.pem", test_certificate_pem());
  std::vector<std::string> messages;
  const auto add = [&](const auto& result) { messages.push_back(result ? "accepted" : result.error().message); };
  add(Credentials::from_pem_files(secret, certificate));
  add(Credentials::from_pem_files(certificate, secret));
  add(Credentials::from_p12_file(secret, test_mchid));
  add(Credentials::from_key_file(test_mchid, test_serial_no, secret));
  PlatformKeys keys;
  add(keys.add_public_key_file(test_public_key_id, secret));
  add(keys.add_certificate_file(secret));
  CurlOptions options;
  options.ca_bundle_file = secret;
  add(CurlTransport::create(options));
  return messages;
}

TEST(KeyFile, QuotesNoSecretThatIsGivenInPlaceOfItsName) {
  const std::string base64 = base64_of_key();
  std::string hex = "3082";
  for (int i = 0; i < 1200; ++i) hex += "3f";
  const struct {
    const char* what;
    std::string secret;
    std::string piece;  ///< must not be in a message
  } cases[] = {
      {"PEM", test_key_pem(), base64.substr(30, 20)},
      {"PEM in one line", "-----BEGIN PRIVATE KEY----- " + base64, base64.substr(30, 20)},
      {"PEM in quotation marks", "\"" + test_key_pem() + "\"", base64.substr(30, 20)},
      {"PEM with literal line breaks", "-----BEGIN PRIVATE KEY-----\\n" + base64, base64.substr(30, 20)},
      {"Base64 in one line", base64, base64.substr(30, 20)},
      {"a short piece of Base64 with a slash", "aB3/xK9+Qw==", "xK9"},
      {"Base64 that begins with a slash", "/aB3xK9+Qw==", "xK9"},
      {"hex", hex, "3f3f3f"},
      {"DER", std::string("0\x82\x04\xbd\0\x01hunter2", 13), "hunter2"},
      {"a passphrase", "correct-horse-battery", "horse"},
      {"a passphrase with a slash", "correct/horse", "horse"},
      {"a passphrase with a line break", "correct-horse\n", "horse"},
      {"a passphrase with a NUL", std::string("correct\0horse", 13), "horse"},
      {"a merchant id, the passphrase of WeChat Pay's files", test_mchid, test_mchid},
      {"a URL with a password", "https://merchant:horse@example.com/apiclient_key.pem", "horse"},
      {"a host with a password", "merchant:horse@example.com/apiclient_key.pem", "horse"},
      {"something long", std::string(5000, 'x') + ".pem", "xxxxx"},
      {"a long name", std::string(300, 'x') + ".pem", "xxxxx"},
  };
  for (const auto& each : cases) {
    for (const std::string& message : messages_of_all(each.secret)) {
      EXPECT_FALSE(contains(message, each.piece)) << each.what << ": " << message;
      EXPECT_NE(message, "accepted") << each.what;
      EXPECT_TRUE(contains(message, "file")) << each.what << ": " << message;
    }
  }
}

TEST(KeyFile, SaysThatTheKeyItselfWasGivenAndWhatTakesIt) {
  EXPECT_EQ(Credentials::from_key_file(test_mchid, test_serial_no, test_key_pem()).error().message,
            "key_file is the key itself, not a file's name: give a file's name, or use from_key()");
  EXPECT_EQ(PlatformKeys().add_public_key_file(test_public_key_id, public_key_pem(test_key())).error().message,
            "file is the key itself, not a file's name: give a file's name, or use add_public_key()");
  CurlOptions options;
  options.ca_bundle_file = test_certificate_pem();
  EXPECT_EQ(CurlTransport::create(options).error().message,
            "CurlOptions::ca_bundle_file is the key itself, not a file's name: give a file's name");
}

TEST(KeyFile, QuotesNoSecretInPlaceOfTheMerchantIdTheSerialNumberTheKeyOrThePublicKeysId) {
  const TemporaryFolder folder;
  const auto file = folder.write("apiclient_key.pem", test_key_pem());
  for (const std::string& secret :
       {test_key_pem(), base64_of_key(), std::string("correct-horse-battery"), std::string("12345678901")}) {
    const std::string piece = secret.substr(secret.size() / 2, 6);
    PlatformKeys keys;
    std::vector<std::string> messages;
    const auto add = [&](const auto& result) { messages.push_back(result ? "accepted" : result.error().message); };
    if (secret != "12345678901") {  // which could be a merchant id
      add(Credentials::from_key_file(secret, test_serial_no, file));
    }
    add(Credentials::from_key_file(test_mchid, secret, file));
    add(Credentials::from_key(test_mchid, secret, test_key_pem()));
    add(Credentials::from_pem_files(file, file, secret));
    add(Credentials::from_p12_file(secret, "apiclient_cert.p12"));
    add(Credentials::from_p12(secret, secret));
    add(keys.add_public_key_file(secret, file));
    add(keys.add_public_key(secret, public_key_pem(test_key())));
    if (!contains(secret, "BEGIN")) add(Credentials::from_key(test_mchid, test_serial_no, secret));
    for (const std::string& message : messages) {
      EXPECT_NE(message, "accepted");
      EXPECT_FALSE(contains(message, piece)) << message;
    }
  }
}

TEST(FileName, IsQuotedWhereItIsKnownToBeOne) {
  const TemporaryFolder folder;
  const std::string there = folder.write("hunter2", "");
  EXPECT_TRUE(file_name_is_harmless(there)) << "it exists";
  EXPECT_TRUE(file_name_is_harmless(folder.path("hunter3"))) << "its folder exists";
  EXPECT_TRUE(file_name_is_harmless("/no/such/folder/apiclient_key.pem")) << "it ends as key files do";
  EXPECT_TRUE(file_name_is_harmless("C:\\no such folder\\证书\\apiclient_cert.P12"));
  for (const char* name : {"hunter2", "hunter2/x", "/hunter2", "./hunter2", "no/such/folder/hunter2", "a=b.pem"}) {
    EXPECT_FALSE(file_name_is_harmless(name)) << name;
    EXPECT_EQ(file_in_message(name, "key_file"),
              "the file given as key_file (not shown here, since it may be a secret)");
  }
  EXPECT_EQ(file_in_message("/no/such\u202E/key.pem", "key_file"), "/no/such\\xE2\\x80\\xAE/key.pem");
}

TEST(FileName, IsNotTakenFromAnEncodedKey) {
  for (const std::string& key_in_one_line :
       {base64_of_key(), "3082" + std::string(200, '0'), "LS0tLS1CRUdJTi" + std::string(100, 'A')}) {
    EXPECT_EQ(file_name_fault(key_in_one_line), "is an encoded key or certificate, not a file's name");
  }
}

TEST(FileName, OfAFileUrlOrWithALineBreakIsNamed) {
  EXPECT_TRUE(contains(file_name_fault("file:///etc/wechatpay/apiclient_key.pem"), "is a file: URL"));
  EXPECT_TRUE(contains(file_name_fault("/etc/wechatpay/apiclient_key.pem\r\n"), "ends with a line break"));
  EXPECT_TRUE(contains(file_name_fault(""), "is empty"));
  EXPECT_EQ(file_name_fault("/home/someone/a very long folder name/of/a hundred characters and more/without any/"
                            "/known/ending/apiclient_key"),
            "");
}

std::string message_of(const Result<KeyFile>& result) { return result ? "accepted" : result.error().message; }

Result<KeyFile> read(const std::string& path, std::chrono::milliseconds wait = std::chrono::seconds(60)) {
  return KeyFile::read(path, {"key_file", "from_key()"}, wait);
}

TEST(KeyFile, NamesAFileThatCannotBeRead) {
  const TemporaryFolder folder;
  const auto missing = folder.path("apiclient_key.pem");
  EXPECT_TRUE(contains(message_of(read(missing)), missing + ": cannot be opened: No such file"));
  EXPECT_EQ(message_of(read(folder.path(""))), folder.path("") + ": is a directory");
  EXPECT_EQ(message_of(read("/dev/null")), "/dev/null: is a device");
  EXPECT_TRUE(contains(message_of(read("~/apiclient_key.pem")), "~ is not expanded"));
  const auto large = folder.write("large.pem", std::string((1U << 20U) + 1, 'x'));
  EXPECT_TRUE(contains(message_of(read(large)), "larger than 1 MiB"));
  const auto largest = folder.write("largest.pem", std::string(1U << 20U, 'x'));
  EXPECT_EQ(read(largest).value().bytes().size(), 1U << 20U);
}

TEST(KeyFile, IsNoSocket) {
  const TemporaryFolder folder;
  const std::string path = folder.path("socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int server = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(server, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(message_of(read(path)), path + ": is a socket");
  close(server);
}

TEST(KeyFile, WaitsForThePipesWriterForABoundedTime) {
  const TemporaryFolder folder;
  const std::string path = folder.path("pipe.pem");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const std::string message = message_of(read(path, std::chrono::milliseconds(1)));
  EXPECT_TRUE(contains(message, path + ": is a pipe that was not written to its end in time")) << message;

  const int both = open(path.c_str(), O_RDWR | O_CLOEXEC);  // a writer that never ends
  ASSERT_EQ(write(both, "half", 4), 4);
  EXPECT_TRUE(contains(message_of(read(path, std::chrono::milliseconds(1))), "not written to its end"));
  close(both);
}

TEST(KeyFile, ReadsAPipeToItsEnd) {
  const TemporaryFolder folder;
  const std::string path = folder.path("pipe.pem");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  ASSERT_EQ(chmod(path.c_str(), 0666), 0);
  const std::string content(300'000, 'x');  // more than a pipe holds
  std::thread writer([&] {
    const int out = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    for (std::size_t done = 0; done < content.size();) {
      const ssize_t size = write(out, content.data() + done, content.size() - done);
      if (size <= 0) break;
      done += static_cast<std::size_t>(size);
    }
    close(out);
  });
  const auto file = read(path);
  writer.join();
  EXPECT_EQ(file.value().bytes(), content);
  EXPECT_EQ(file.value().warning_if_shared(), "") << "the bytes are gone";
}

TEST(KeyFile, ReadsWhatTheShellSubstitutes) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_GT(write(ends[1], test_key_pem().data(), test_key_pem().size()), 0);
  close(ends[1]);
  const auto credentials = Credentials::from_key_file(test_mchid, test_serial_no, "/dev/fd/" + std::to_string(ends[0]));
  close(ends[0]);
  ASSERT_TRUE(credentials) << credentials.error().message;
  EXPECT_TRUE(credentials->warnings().empty());
}

std::string with_mode(const std::string& path, mode_t mode) {
  EXPECT_EQ(chmod(path.c_str(), mode), 0);
  return path;
}

TEST(Credentials, WarnOfAKeysFileThatOthersMayReadOrWrite) {
  const TemporaryFolder folder;
  const auto file = folder.write("apiclient_key.pem", test_key_pem());
  const auto certificate = with_mode(folder.write("apiclient_cert.pem", test_certificate_pem()), 0666);
  const auto owner = make_certificate({test_mchid, test_serial_no, {}, false}, test_key());
  const auto p12 = folder.write("apiclient_cert.p12", pkcs12(test_key(), owner.get(), test_mchid));
  const struct {
    mode_t mode;
    const char* says;
  } cases[] = {
      {0600, ""},
      {0400, ""},
      {0700, ""},
      {0711, ""},
      {0640, " can be read by its group (mode 0640): chmod 600 "},
      {0604, " can be read by others (mode 0604): chmod 600 "},
      {0644, " can be read by its group and others (mode 0644): chmod 600 "},
      {0666, " can be read and written by its group and others (mode 0666): chmod 600 "},
      {0620, " can be written by its group (mode 0620): chmod 600 "},
  };
  for (const auto& each : cases) {
    const std::string says = each.says;
    const auto expected = [&](const std::string& path) {
      return says.empty() ? std::vector<std::string>{} : std::vector<std::string>{path + says + path};
    };
    with_mode(file, each.mode);
    with_mode(p12, each.mode);
    EXPECT_EQ(Credentials::from_pem_files(certificate, file).value().warnings(), expected(file));
    EXPECT_EQ(Credentials::from_key_file(test_mchid, test_serial_no, file).value().warnings(), expected(file));
    EXPECT_EQ(Credentials::from_p12_file(p12, test_mchid).value().warnings(), expected(p12));
  }
}

TEST(Credentials, WarnOfTheFileThatALinkLeadsTo) {
  const TemporaryFolder folder;
  const auto file = folder.write("apiclient_key.pem", test_key_pem());
  std::filesystem::create_symlink(file, folder.path("link.pem"));
  with_mode(file, 0600);
  EXPECT_TRUE(
      Credentials::from_key_file(test_mchid, test_serial_no, folder.path("link.pem")).value().warnings().empty());
  with_mode(file, 0644);
  EXPECT_EQ(Credentials::from_key_file(test_mchid, test_serial_no, folder.path("link.pem")).value().warnings().size(),
            1U);
}

TEST(Credentials, GiveACommandThatTheShellTakesAsItIs) {
  const TemporaryFolder folder;
  const auto file = with_mode(folder.write("it's $(a) key.pem", test_key_pem()), 0644);
  const auto warning = Credentials::from_key_file(test_mchid, test_serial_no, file).value().warnings().at(0);
  const std::string command = warning.substr(warning.find("chmod"));
  EXPECT_EQ(run(command).status, 0) << command;
  EXPECT_TRUE(Credentials::from_key_file(test_mchid, test_serial_no, file).value().warnings().empty()) << command;
}

TEST(Credentials, GiveACommandForANameThatLooksLikeAnOption) {
  const TemporaryFolder folder;
  const auto before = std::filesystem::current_path();
  with_mode(folder.write("-Rkey.pem", test_key_pem()), 0644);
  std::filesystem::current_path(folder.path(""));
  const auto warning = Credentials::from_key_file(test_mchid, test_serial_no, "-Rkey.pem").value().warnings().at(0);
  const std::string command = warning.substr(warning.find("chmod"));
  const int status = run(command).status;
  const bool is_cured = Credentials::from_key_file(test_mchid, test_serial_no, "-Rkey.pem").value().warnings().empty();
  std::filesystem::current_path(before);
  EXPECT_EQ(command, "chmod 600 './-Rkey.pem'");
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(is_cured);
}

TEST(Credentials, GiveNoCommandForANameThatCannotBeTyped) {
  const TemporaryFolder folder;
  const auto file = with_mode(folder.write("key\u202E.pem", test_key_pem()), 0640);
  const auto warning = Credentials::from_key_file(test_mchid, test_serial_no, file).value().warnings().at(0);
  EXPECT_TRUE(contains(warning, "can be read by its group (mode 0640): chmod 600 on it")) << warning;
  EXPECT_FALSE(contains(warning, "\u202E")) << warning;
}

TEST(KeyFile, SaysWhyItCannotBeRead) {
  const std::string own_memory = "/proc/self/mem";  // a regular file whose first page cannot be read
  if (!std::filesystem::exists(own_memory)) GTEST_SKIP() << "this system has no " << own_memory;
  EXPECT_EQ(message_of(read(own_memory)), own_memory + ": cannot be read: Input/output error");
  const TemporaryFolder folder;
  const std::string file = folder.path("missing.pem");
  EXPECT_EQ(message_of(read(file)), file + ": cannot be opened: No such file or directory");
}

TEST(PlatformKeys, WarnOfAFileThatOthersMayWrite) {
  const TemporaryFolder folder;
  const auto platform = make_certificate({"Tenpay.com sign", "0A", {}, false}, test_key());
  const auto public_key = with_mode(folder.write("pub_key.pem", public_key_pem(test_key())), 0644);
  const auto certificate = with_mode(folder.write("wechatpay_0A.pem", certificate_pem(platform.get())), 0644);
  PlatformKeys keys;
  const auto add_both = [&] {
    ASSERT_TRUE(keys.add_public_key_file(test_public_key_id, public_key));
    ASSERT_TRUE(keys.add_certificate_file(certificate));
  };
  add_both();
  EXPECT_TRUE(keys.warnings().empty()) << "everybody may read them";
  with_mode(public_key, 0664);
  with_mode(certificate, 0666);
  add_both();
  EXPECT_EQ(keys.warnings(),
            (std::vector<std::string>{
                certificate + " can be written by its group and others (mode 0666): chmod go-w " + certificate,
                public_key + " can be written by its group (mode 0664): chmod go-w " + public_key}));
}

}  // namespace
}  // namespace wechatpay::bonus_commit
