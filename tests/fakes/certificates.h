// Certificates made while a test runs: nothing secret and nothing that expires lies in the
// repository.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace gateway::fakes {

/// A folder of its own below the system's temporary one; goes away with the object.
class TestFolder {
 public:
  TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder();
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

 private:
  std::string folder_;
};

struct CertificateFiles {
  std::string certificate;  // PEM
  std::string key;          // PEM, no passphrase
};

/// A certificate authority with its own key; writes PEM files into a folder.
class TestCa {
 public:
  TestCa(const TestFolder& folder, const std::string& name);
  ~TestCa();
  /// The CA's certificate, to trust it.
  const std::string& file() const { return file_; }

  struct Request {
    std::string name;                      // common name and file name
    std::vector<std::string> dns_names{};  // subject alternative names
    std::vector<std::string> addresses{};  // the same, IP
    int days_from = -1;                    // validity, relative to now
    int days_until = 30;
  };
  CertificateFiles issue(const Request& request) const;

 private:
  struct Keys;
  const TestFolder& folder_;
  std::unique_ptr<Keys> keys_;
  std::string file_;
};

}  // namespace gateway::fakes
