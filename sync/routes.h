// Where an instance goes and how soon: rules of the site, as data ([dicom.route.NAME]), by the AE
// titles it went between, its modality, its study's description and the priority of the order it
// answers. Decided once, when it is received, and kept with its row, so that a rule that is changed
// later moves nothing that is here already. Pure but for what is said otherwise.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/result.h"
#include "crypto/database.h"
#include "sync/imaging.h"
#include "sync/urgency.h"

namespace gateway::sync {

/// What a rule looks at.
struct Arrival {
  std::string_view called_ae_title;
  std::string_view calling_ae_title;
  std::string_view modality;
  std::string_view study_description;
  Turn order = Turn::routine;  // of the order; routine where none is known
};

/// Fits where every condition that is set holds. Patterns: * and ? stand for any characters or one.
struct RouteRule {
  std::string name;
  std::vector<std::string> called_ae_titles;
  std::vector<std::string> calling_ae_titles;
  std::vector<std::string> modalities;
  std::vector<std::string> study_descriptions;  // without regard to case and accents
  std::vector<Turn> order_priorities;
  std::optional<std::vector<std::string>> uplinks;  // nothing: left to the rules behind
  std::optional<Turn> turn;
};

struct Route {
  std::optional<std::vector<std::string>> uplinks;  // nothing: every uplink of images
  Turn turn = Turn::routine;
};

/// Uplinks by the first rule that fits and names any; the turn is the most urgent of the order's
/// own and those of all rules that fit.
Route route_of(const std::vector<RouteRule>& rules, const Arrival& arrival);

std::vector<core::ConfigKey> route_config_keys();
/// In the order of their names, as they are tried. Code::invalid names place and key and what to
/// write instead: an uplink that is none of `image_uplinks`, a rule that decides nothing.
core::Result<std::vector<RouteRule>> route_rules(const core::Config& config,
                                                 const std::vector<std::string>& image_uplinks);

/// The route of what was just received. `service_request`: id of the order its study answers;
/// empty: none.
core::Result<Route> route_of_instance(crypto::Connection& connection,
                                      const std::vector<RouteRule>& rules,
                                      const ReceivedInstance& instance,
                                      const std::string& service_request);

/// Keeps where an instance goes. Runs inside the caller's transaction, once for each instance.
core::Status keep_route(crypto::Connection& connection, std::int64_t instance, const Route& route);
/// Those of `configured` it is to go to.
core::Result<std::vector<std::string>> uplinks_of_instance(
    crypto::Connection& connection, std::int64_t instance,
    const std::vector<std::string>& configured);

/// In SQL, of a row `i` of dicom_instance and a bound uplink: it is to go there.
inline constexpr char kGoesTo[] =
    "(i.is_routed = 0 OR EXISTS (SELECT 1 FROM dicom_route t WHERE t.instance = i.row"
    " AND t.uplink = ?))";

}  // namespace gateway::sync
