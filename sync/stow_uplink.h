// The STOW-RS uplink: small groups of instances per request, only what is missing goes again, an
// instance is delivered when the PACS lists it as stored, and after a lost answer it is looked for
// (QIDO-RS) before it is sent again. PS3.18 10.5, 10.6. What is too large for the link goes by
// resumable upload to a hub before the PACS, where there is one.
#pragma once

#include <memory>
#include <string>

#include "sync/holdings.h"
#include "sync/resumable_sender.h"
#include "sync/uplink.h"

namespace gateway::sync {

struct StowOptions {
  std::unique_ptr<ResumableSender> resumable = {};  // null: all goes by STOW-RS
  /// What does not go by parts goes compressed without loss where that saves something, until the
  /// PACS shows that it takes an image only as it is.
  bool compresses = false;
};

UplinkLimits stow_uplink_limits();
std::unique_ptr<Uplink> make_stow_uplink(std::string name,
                                         std::shared_ptr<core::net::HttpClient> client,
                                         std::shared_ptr<Holdings> holdings,
                                         StowOptions options = {});

}  // namespace gateway::sync
