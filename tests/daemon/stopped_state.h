// What a stopped daemon holds, opened by the code it runs itself: for what no peer brings about on
// loopback. Close it before the daemon starts again.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "core/clock.h"
#include "core/files.h"
#include "daemon_process.h"
#include "sync/holdings.h"

namespace gateway::daemon {

inline std::shared_ptr<sync::Holdings> open_stopped(const DaemonProcess& daemon) {
  const crypto::Passphrase passphrase{
      crypto::Secret::copy_of(std::string_view("correct horse battery staple"))};
  auto keyring = crypto::Keyring::open(core::system_files(), daemon.state_folder(), passphrase,
                                       core::system_clock());
  if (!keyring.ok()) {
    ADD_FAILURE() << keyring.error().message();
    return nullptr;
  }
  sync::HoldingsOptions options;
  options.state_folder = daemon.state_folder();
  options.ingest.fhir_uplinks = {"his"};
  auto held = sync::Holdings::open(core::system_files(), std::move(*keyring), core::system_clock(),
                                   std::move(options));
  if (held.ok()) return *held;
  ADD_FAILURE() << held.error().message();
  return nullptr;
}

}  // namespace gateway::daemon
