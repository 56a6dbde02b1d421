// Central operations as a test sees them: a real Mosquitto on loopback, and all that is published
// there while it runs.
#pragma once

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "daemon_process.h"

namespace gateway::daemon {

class CentralListener {
 public:
  struct Heard {
    std::string topic;  // below clinic-gateway/v1/clinic-1/
    std::string text;
    core::Json json;  // null where it is none
  };

  static bool installed() { return run_command({"mosquitto", "-h"}).exit_code != 127; }
  const std::string& port() const { return port_; }
  /// `[mqtt]` for the daemon.
  std::string table() const {
    return "[mqtt]\nhost = \"127.0.0.1\"\nplain = true\nhealth_every_s = 1\nport = " + port_ + "\n";
  }
  /// Broker and subscriber; true once the subscriber is there.
  bool open() {
    const std::size_t before = text().size();  // of an earlier run
    broker_ =
        std::make_unique<BackgroundProcess>(std::vector<std::string>{"mosquitto", "-p", port_});
    subscriber_ = std::make_unique<BackgroundProcess>(std::vector<std::string>{
        "sh", "-c",
        "until mosquitto_pub -p " + port_ + " -t ready -r -m 1; do sleep 0.1; done; " +
            "exec stdbuf -oL mosquitto_sub -p " + port_ + " -t '#' -q 1 -F '%t %p' >> " + file()});
    return holds_within(
        20, [this, before] { return text().find("ready 1", before) != std::string::npos; });
  }
  /// The broker is gone, with all it held.
  void close() {
    subscriber_.reset();
    broker_.reset();
  }
  /// Everything so far, as it came.
  std::string text() const {
    std::ifstream in(file());
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::vector<Heard> heard(const std::string& topic = "") const {
    constexpr std::string_view kRoot = "clinic-gateway/v1/clinic-1/";
    std::vector<Heard> list;
    std::ifstream in(file());
    for (std::string line; std::getline(in, line);) {
      const auto end = line.find(' ');
      if (end == line.npos || !line.starts_with(kRoot)) continue;
      Heard one{line.substr(kRoot.size(), end - kRoot.size()), line.substr(end + 1), {}};
      if (auto json = core::Json::parse(one.text); json.ok()) one.json = std::move(*json);
      if (topic.empty() || one.topic == topic) list.push_back(std::move(one));
    }
    return list;
  }

 private:
  std::string file() const { return folder_.path() + "/heard"; }

  TempFolder folder_;
  std::string port_ = std::to_string(free_port());
  std::unique_ptr<BackgroundProcess> broker_;
  std::unique_ptr<BackgroundProcess> subscriber_;
};

}  // namespace gateway::daemon
