#include "daemon/api/console/places.h"

#include <algorithm>
#include <array>

#include "core/text.h"

namespace gateway::daemon::console {
namespace {

using crypto::Role;

constexpr bool kReads = false;
constexpr bool kWrites = true;
constexpr bool kPatients = true;

constexpr std::array kPlaces = {
    Place{"overview", "/v1/status", kReads, Role::viewer, false},
    Place{"status", "/v1/status", kReads, Role::viewer, false},
    Place{"studies", "/v1/studies", kReads, Role::viewer, kPatients},
    Place{"queue", "/v1/queue", kReads, Role::viewer, false},
    Place{"reviews", "/v1/reviews", kReads, Role::viewer, false},
    Place{"reviews/", "/v1/reviews/", kReads, Role::viewer, kPatients},
    Place{"letters", "/v1/letters", kReads, Role::viewer, false},
    Place{"letters/", "/v1/letters/", kReads, Role::operating, kPatients},
    Place{"criticals", "/v1/criticals", kReads, Role::viewer, kPatients},
    Place{"results", "/v1/results", kReads, Role::viewer, kPatients},
    Place{"worklist", "/v1/worklist", kReads, Role::viewer, kPatients},
    Place{"last-seen", "/v1/last-seen", kReads, Role::viewer, false},
    Place{"keys", "/v1/keys", kReads, Role::admin, false},
    Place{"certificates", "/v1/certificates", kReads, Role::admin, false},
    Place{"accounts", "/v1/accounts", kReads, Role::admin, false},
    Place{"audit", "/v1/audit/events", kReads, Role::admin, kPatients},
    Place{"retry", "/v1/retry", kWrites, Role::operating, false},
    Place{"reviews/", "/v1/reviews/", kWrites, Role::operating, kPatients},
    Place{"letters", "/v1/letters", kWrites, Role::operating, false},
    Place{"letters/", "/v1/letters/", kWrites, Role::operating, kPatients},
    Place{"criticals/", "/v1/criticals/", kWrites, Role::operating, kPatients},
    Place{"results/", "/v1/results/", kWrites, Role::operating, kPatients},
};

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 18 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool fits(const Place& place, std::string_view path) {
  if (!place.path.ends_with('/')) return path == place.path;
  return path.starts_with(place.path) && is_number(path.substr(place.path.size()));
}

}  // namespace

const Place* find_place(std::string_view method, std::string_view path) {
  if (method != "GET" && method != "POST") return nullptr;
  const auto found = std::ranges::find_if(kPlaces, [&](const Place& place) {
    return place.writes == (method == "POST") && fits(place, path);
  });
  return found == kPlaces.end() ? nullptr : &*found;
}

std::string route_of(const Place& place, std::string_view path_and_query) {
  return core::cat(place.route, path_and_query.substr(place.path.size()));
}

}  // namespace gateway::daemon::console
