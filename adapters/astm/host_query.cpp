#include "adapters/astm/host_query.h"

#include <algorithm>

#include "core/civil_time.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/pending_orders.h"

namespace gateway::adapters::astm {
namespace {

using core::cat;
using core::Json;

constexpr std::size_t kSpecimensMax = 50;

struct Pending {
  std::string specimen;
  Json patient;
  std::vector<std::string> codes;  // the device's
  bool is_urgent = false;
};

/// The device's codes for what an order asks; the device's own code among the order's counts too.
std::vector<std::string> codes_of(const Json& order, const AstmDevice& device) {
  std::vector<std::string> codes;
  const std::string own = cat("urn:clinic-gateway:device:", device.options.profile.name);
  for (const Json& coding : order["code"]["coding"].items()) {
    const std::string code(coding["code"].text());
    if (coding["system"].text() == own) codes.push_back(code);
    if (coding["system"].text() != "http://loinc.org") continue;
    for (std::string& one : device.profile.codes.local_codes(code)) codes.push_back(std::move(one));
  }
  return codes;
}

core::Result<Pending> pending_for(crypto::Connection& connection, const AstmDevice& device,
                                  const std::string& specimen) {
  const mapping::DeviceProfile& site = device.options.profile;
  GW_TRY(sync::PendingOrders found,
         sync::pending_orders(connection, site.specimen_id_issuer, specimen));
  // What must not be told is not, and the device has no word for why.
  if (!found.problem.empty()) {
    core::log_warn("astm", cat("device ", site.name,
                               " asks for a tube and is told of no order: ", found.problem));
  }
  Pending pending;
  pending.specimen = specimen;
  pending.patient = std::move(found.patient);
  for (const Json& order : found.orders) {
    for (std::string& code : codes_of(order, device)) {
      const bool is_new =
          std::find(pending.codes.begin(), pending.codes.end(), code) == pending.codes.end();
      if (is_new) pending.codes.push_back(std::move(code));
    }
    const std::string_view priority = order["priority"].text();
    pending.is_urgent = pending.is_urgent || priority == "stat" || priority == "asap";
  }
  return pending;
}

std::string now_text(const AstmDevice& device, const core::Clock& clock) {
  const auto now =
      core::to_dicom_time(core::to_instant(clock.wall()), device.options.profile.time_zone);
  return cat(now.date, now.time.substr(0, 6));
}

std::string patient_record(const Pending& pending, const AstmDevice& device, std::size_t number) {
  constexpr std::size_t kFirst = 0;
  std::string id;
  for (const Json& one : pending.patient["identifier"].items()) {
    if (one["system"].text() == device.options.profile.patient_id_issuer)
      id = std::string(one["value"].text());
  }
  const Json& name = pending.patient["name"][kFirst];
  const std::string_view gender = pending.patient["gender"].text();
  const std::string_view sex = gender == "male" ? "M" : gender == "female" ? "F" : "U";
  return cat("P|", number, "|", escape_text(id), "|||", escape_text(name["family"].text()), "^",
             escape_text(name["given"][kFirst].text()), "||",
             core::to_dicom_date(pending.patient["birthDate"].text()), "|", sex, "\r");
}

/// Where the device writes its code, there it reads it.
std::string test_id(const profiles::Profile& profile, std::string_view code) {
  std::vector<std::size_t> places = profile.code_components;
  if (places.empty()) places = {4};
  std::string id;
  std::size_t component = 1;
  for (std::size_t i = 0; i < places.size() && !code.empty(); ++i) {
    const auto end = i + 1 < places.size() ? code.find('^') : std::string_view::npos;
    for (; component < places[i]; ++component) id += '^';
    id += escape_text(code.substr(0, end));
    code = end == std::string_view::npos ? std::string_view() : code.substr(end + 1);
  }
  return id;
}

std::string order_record(const Pending& pending, const AstmDevice& device,
                         const core::Clock& clock) {
  std::string tests;
  for (const std::string& code : pending.codes)
    tests += cat(tests.empty() ? "" : "\\", test_id(device.profile, code));
  // O-12 A: tests to be done; O-26 O: an order.
  return cat("O|1|", escape_text(pending.specimen), "||", tests, "|", pending.is_urgent ? "S" : "R",
             "|", now_text(device, clock), "|||||A||||||||||||||O\r");
}

}  // namespace

std::optional<Asked> asked_for(const Message& query) {
  Asked asked;
  bool is_asked = false;
  for (const Record& record : query.records()) {
    if (record.type != 'Q' || record.field(13).first() == "A") continue;
    is_asked = true;
    const Field ids = record.field(3);
    for (std::size_t i = 0; i < ids.repeats() && asked.specimens.size() < kSpecimensMax; ++i) {
      std::string id = ids.repeat(i).component(2).text();
      if (id.empty()) id = ids.repeat(i).first();
      const bool is_all = core::to_lower_ascii(id) == "all";
      asked.is_all = asked.is_all || is_all;
      const bool is_new =
          std::find(asked.specimens.begin(), asked.specimens.end(), id) == asked.specimens.end();
      if (!id.empty() && !is_all && is_new) asked.specimens.push_back(std::move(id));
    }
  }
  return is_asked ? std::optional<Asked>(std::move(asked)) : std::nullopt;
}

core::Result<std::string> answer_query(crypto::Connection& connection, const Message& query,
                                       const Asked& asked, const AstmDevice& device,
                                       const core::Clock& clock) {
  const Field asker = query.header().field(5);
  std::string answer = cat("H|\\^&|||clinic-gateway|||||", escape_text(asker.first()),
                           "||P|LIS2-A2|", now_text(device, clock), "\r");
  const bool names_orders = !device.options.profile.specimen_id_issuer.empty();
  std::vector<std::string> specimens;
  if (names_orders) specimens = asked.specimens;
  if (names_orders && asked.is_all) {
    const auto has_code = [&](const Json& order) { return !codes_of(order, device).empty(); };
    GW_TRY(specimens, sync::pending_specimens(connection, device.options.profile.specimen_id_issuer,
                                              has_code, kSpecimensMax));
  }
  std::size_t number = 0;
  for (const std::string& specimen : specimens) {
    GW_TRY(const Pending pending, pending_for(connection, device, specimen));
    if (pending.codes.empty()) continue;
    answer += patient_record(pending, device, ++number);
    answer += order_record(pending, device, clock);
  }
  return cat(answer, number == 0 ? "L|1|I\r" : "L|1|F\r");
}

}  // namespace gateway::adapters::astm
