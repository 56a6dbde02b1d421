// What the console may ask of the gateway, and who may ask it: a list of what is allowed, in front
// of the routes of the control socket (daemon/ops/control.h).
#pragma once

#include <string>
#include <string_view>

#include "crypto/accounts.h"

namespace gateway::daemon::console {

struct Place {
  std::string_view path;  // below /console/api/; a '/' at its end: a number follows
  std::string_view route;
  bool writes = false;
  crypto::Role role = crypto::Role::viewer;
  bool shows_patients = false;  // each look goes into the audit trail
};

/// `path` without /console/api/ and query. Null: there is no such place.
const Place* find_place(std::string_view method, std::string_view path);

/// The control route of `path` (with its query) at this place.
std::string route_of(const Place& place, std::string_view path_and_query);

}  // namespace gateway::daemon::console
