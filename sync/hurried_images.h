// An order that becomes more urgent hurries the images it brought already. Inside the caller's
// transaction.
#pragma once

#include <string>

#include "core/result.h"
#include "crypto/database.h"
#include "sync/urgency.h"

namespace gateway::sync {

/// What waits of the order's studies, images and the studies' own resource, goes no later than in
/// `turn`. One that becomes less urgent holds nothing up: what was hurried once stays so.
core::Status hurry_images(crypto::Connection& connection, const std::string& service_request,
                          Turn turn);

}  // namespace gateway::sync
