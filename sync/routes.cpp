#include "sync/routes.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/pattern.h"
#include "core/text.h"
#include "sync/replica.h"

namespace gateway::sync {
namespace {

using core::ConfigKey;
using core::KeyType;

constexpr std::array<std::pair<std::string_view, Turn>, 4> kPriorities = {
    {{"stat", Turn::stat},
     {"asap", Turn::asap},
     {"urgent", Turn::urgent},
     {"routine", Turn::routine}}};

std::optional<Turn> turn_named(std::string_view text) {
  const auto* found =
      std::ranges::find_if(kPriorities, [&](const auto& known) { return known.first == text; });
  return found == kPriorities.end() ? std::nullopt : std::optional(found->second);
}

bool fits_any(const std::vector<std::string>& patterns, std::string_view text) {
  return patterns.empty() || std::ranges::any_of(patterns, [&](const std::string& pattern) {
           return core::matches_pattern(pattern, text);
         });
}

bool fits(const RouteRule& rule, const Arrival& arrival) {
  const bool fits_order =
      rule.order_priorities.empty() ||
      std::ranges::find(rule.order_priorities, arrival.order) != rule.order_priorities.end();
  return fits_order && fits_any(rule.called_ae_titles, arrival.called_ae_title) &&
         fits_any(rule.calling_ae_titles, arrival.calling_ae_title) &&
         fits_any(rule.modalities, arrival.modality) &&
         (rule.study_descriptions.empty() ||
          fits_any(rule.study_descriptions, core::fold(arrival.study_description)));
}

core::Error wrong(const core::Config& config, const std::string& key, std::string_view what) {
  return {core::Code::invalid, core::cat(config.where(key), ": ", key, ": ", what)};
}

core::Result<std::vector<std::string>> uplinks_at(const core::Config& config,
                                                  const std::string& key,
                                                  const std::vector<std::string>& image_uplinks) {
  std::vector<std::string> uplinks = config.texts(key);
  for (const std::string& uplink : uplinks) {
    if (std::ranges::find(image_uplinks, uplink) == image_uplinks.end())
      return wrong(config, key,
                   core::cat("there is no [uplink.", uplink,
                             "] that takes images; add it, or name "
                             "another"));
  }
  std::ranges::sort(uplinks);
  uplinks.erase(std::unique(uplinks.begin(), uplinks.end()), uplinks.end());
  return uplinks;
}

core::Result<std::vector<Turn>> priorities_at(const core::Config& config, const std::string& key) {
  std::vector<Turn> turns;
  for (const std::string& text : config.texts(key)) {
    const auto turn = turn_named(text);
    if (!turn)
      return wrong(config, key, core::cat("\"", text, "\" is none of stat, asap, urgent, routine"));
    turns.push_back(*turn);
  }
  return turns;
}

core::Result<RouteRule> rule_of(const core::Config& config, const std::string& name,
                                const std::vector<std::string>& image_uplinks) {
  const auto key = [&](std::string_view last) {
    return core::cat("dicom.route.", name, ".", last);
  };
  RouteRule rule;
  rule.name = name;
  rule.called_ae_titles = config.texts(key("called_ae_titles"));
  rule.calling_ae_titles = config.texts(key("calling_ae_titles"));
  rule.modalities = config.texts(key("modalities"));
  for (const std::string& pattern : config.texts(key("study_descriptions")))
    rule.study_descriptions.push_back(core::fold(pattern));
  GW_TRY(rule.order_priorities, priorities_at(config, key("order_priorities")));
  if (config.has(key("uplinks"))) {
    GW_TRY(rule.uplinks, uplinks_at(config, key("uplinks"), image_uplinks));
  }
  if (config.has(key("priority"))) rule.turn = turn_named(config.text(key("priority")));
  if (!rule.uplinks && !rule.turn)
    return wrong(config, key("uplinks"), "it decides nothing; set uplinks or priority");
  return rule;
}

}  // namespace

Route route_of(const std::vector<RouteRule>& rules, const Arrival& arrival) {
  Route route;
  route.turn = arrival.order;
  for (const RouteRule& rule : rules) {
    if (!fits(rule, arrival)) continue;
    if (!route.uplinks) route.uplinks = rule.uplinks;
    if (rule.turn) route.turn = std::min(route.turn, *rule.turn);
  }
  return route;
}

std::vector<ConfigKey> route_config_keys() {
  const auto list = [](std::string path, std::string meaning) {
    return ConfigKey{.path = std::move(path),
                     .type = KeyType::text_list,
                     .meaning = std::move(meaning),
                     .default_text = "[]"};
  };
  return {
      list("dicom.route.*.called_ae_titles",
           "a rule for images sent to one of these AE titles of the gateway (dicom.ae_title, "
           "dicom.more_ae_titles); * and ? stand for any characters or one. Rules are tried in the "
           "order of their names"),
      list("dicom.route.*.calling_ae_titles", "and by one of these"),
      list("dicom.route.*.modalities", "and of one of these modalities, such as CT"),
      list("dicom.route.*.study_descriptions",
           "and of a study described so, such as *stroke*; without regard to case and accents"),
      list("dicom.route.*.order_priorities",
           "and for an order of one of these priorities: stat, asap, urgent, routine"),
      list("dicom.route.*.uplinks",
           "uplinks of images that those go to; the first rule that fits and names any decides. "
           "Empty: they stay here"),
      {.path = "dicom.route.*.priority",
       .meaning =
           "how soon they go; the most urgent of all rules that fit, and of the order itself",
       .choices = {"stat", "asap", "urgent", "routine"}},
  };
}

core::Result<std::vector<RouteRule>> route_rules(const core::Config& config,
                                                 const std::vector<std::string>& image_uplinks) {
  std::vector<RouteRule> rules;
  for (const std::string& name : config.names("dicom.route")) {
    GW_TRY(RouteRule rule, rule_of(config, name, image_uplinks));
    rules.push_back(std::move(rule));
  }
  return rules;
}

core::Result<Route> route_of_instance(crypto::Connection& connection,
                                      const std::vector<RouteRule>& rules,
                                      const ReceivedInstance& instance,
                                      const std::string& service_request) {
  Arrival arrival{instance.called_ae_title, instance.calling_ae_title, instance.facts.modality,
                  instance.facts.study_description, Turn::routine};
  if (!service_request.empty()) {
    GW_TRY(const auto order, read_resource(connection, {"ServiceRequest", service_request}));
    if (order) arrival.order = turn_of(order->body);
  }
  return route_of(rules, arrival);
}

core::Status keep_route(crypto::Connection& connection, std::int64_t instance, const Route& route) {
  if (!route.uplinks) return {};
  GW_CHECK(connection.run("UPDATE dicom_instance SET is_routed = 1 WHERE row = ?", instance));
  for (const std::string& uplink : *route.uplinks) {
    GW_CHECK(connection.run("INSERT INTO dicom_route (instance, uplink) VALUES (?, ?)", instance,
                            uplink));
  }
  return {};
}

core::Result<std::vector<std::string>> uplinks_of_instance(
    crypto::Connection& connection, std::int64_t instance,
    const std::vector<std::string>& configured) {
  std::vector<std::string> uplinks;
  for (const std::string& uplink : configured) {
    GW_TRY(const auto goes,
           connection.integer(
               core::cat("SELECT 1 FROM dicom_instance i WHERE i.row = ? AND ", kGoesTo), instance,
               uplink));
    if (goes) uplinks.push_back(uplink);
  }
  return uplinks;
}

}  // namespace gateway::sync
