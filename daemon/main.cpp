// clinic-gatewayd: the process around the gateway. What must be true of the process before any
// thread starts is set here.
#include <malloc.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/log.h"
#include "core/text.h"
#include "daemon/checked_config.h"
#include "daemon/config_faults.h"
#include "daemon/gateway.h"
#include "daemon/private_memory.h"
#include "daemon/settings.h"
#include "daemon/version.h"

namespace gateway::daemon {
namespace {

// docs/man/clinic-gatewayd.8
enum Exit { kExitOk = 0, kExitFailed = 1, kExitConfig = 2 };

void prepare_process() {
  ::umask(077);
  keep_memory_private();
  // DCMTK reads it when it makes a socket; without it each answer waits 40 ms for Nagle.
  ::setenv("TCP_NODELAY", "1", 1);
  // A peer that goes away is an error of that write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  // An arena per thread would keep what each association's thread once used.
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 20);
  // Setting any threshold ends glibc's own tuning of this one: the chunk buffers of sealed objects
  // (below it) should be reused, not mapped anew for each instance.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
}

int check(const std::string& file, bool is_hub) {
  const CheckedConfig checked = read_checked_config(file, is_hub);
  for (const std::string& line : checked.mistakes) std::fprintf(stderr, "%s\n", line.c_str());
  if (!checked.mistakes.empty()) return kExitConfig;
  std::printf("%s: ok\n", file.c_str());
  return kExitOk;
}

int serve(const std::string& file, bool is_hub) {
  const auto keys = all_config_keys();
  auto reading = core::Config::read(file, keys);
  ConfigFaults faults = leave_out_faults(reading, keys);
  if (std::string of_role = role_mistake(reading.config, is_hub, file); !of_role.empty())
    faults.fatal.push_back(std::move(of_role));
  for (const auto* lines : {&faults.fatal, &faults.left_out})
    for (const std::string& line : *lines) core::log_error("daemon", line);
  for (const std::string& line : faults.absent) core::log_warn("daemon", line);
  if (!faults.fatal.empty()) return kExitConfig;
  Settings settings = read_settings(reading.config);
  settings.config_problems = faults.left_out;
  settings.dicom_fault = faults.dicom;
  settings.left_out_dicom_peers = faults.left_out_peers;
  settings.is_hub = is_hub;
  core::set_log_level(settings.log_level);
  core::log_info("daemon", core::cat("clinic-gatewayd ", kVersion, " starts with ", file));

  boost::asio::io_context loop(1);
  boost::asio::signal_set signals(loop, SIGTERM, SIGINT);
  boost::asio::signal_set hang_up(loop, SIGHUP);
  int exit_code = kExitOk;
  std::unique_ptr<Gateway> gateway;
  const auto end = [&](int code) {
    exit_code = code;
    signals.cancel();  // the first reason to end stands
    hang_up.cancel();
    gateway->stop();
    loop.stop();
  };
  // The service manager starts it again.
  gateway = Gateway::create(loop, std::move(reading.config), std::move(settings), file,
                            core::system_clock(), [&end] { end(kExitFailed); });
  signals.async_wait([&end](const boost::system::error_code& error, int) {
    if (!error) end(kExitOk);
  });
  std::function<void()> await_hang_up = [&] {
    hang_up.async_wait([&](const boost::system::error_code& error, int) {
      if (error) return;
      gateway->reload();
      await_hang_up();
    });
  };
  await_hang_up();
  if (const core::Status started = gateway->start(); !started.ok()) {
    core::log_error("daemon", started.error().message());
    return kExitFailed;
  }
  loop.run();
  // What was cancelled ends in order; a straggler does not hold up the stop.
  loop.restart();
  loop.run_for(std::chrono::seconds(1));
  gateway.reset();
  core::settle_log();
  return exit_code;
}

int run(int argc, char** argv) {
  CLI::App app(
      "The clinic-gateway daemon: takes in studies, keeps them encrypted, brings them to "
      "the hospital.\nExit codes: 0 stopped or configuration ok, 1 failed, 2 mistake in "
      "the configuration or command line.");
  std::string file = kConfigFile;
  std::string role = "clinic";
  bool check_only = false;
  app.add_option("--config", file, "configuration file; conf.d/*.toml beside it are read too")
      ->capture_default_str();
  app.add_option("--role", role,
                 "hub: the API serves other gateways as their hospital; DICOM only where [dicom] "
                 "is configured")
      ->check(CLI::IsMember({"clinic", "hub"}))
      ->capture_default_str();
  app.add_flag("--check-config", check_only, "print every mistake of the configuration and exit");
  app.set_version_flag("--version", core::cat("clinic-gatewayd ", kVersion));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitConfig;
  }
  const bool is_hub = role == "hub";
  return check_only ? check(file, is_hub) : serve(file, is_hub);
}

}  // namespace
}  // namespace gateway::daemon

int main(int argc, char** argv) {
  gateway::daemon::prepare_process();
  return gateway::daemon::run(argc, argv);
}
