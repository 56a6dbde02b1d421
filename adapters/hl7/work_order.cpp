#include "adapters/hl7/work_order.h"

#include <algorithm>

#include "adapters/hl7/acknowledgment.h"
#include "adapters/hl7/order_fields.h"
#include "adapters/hl7/order_message.h"
#include "core/text.h"
#include "sync/server_ids.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;

constexpr std::size_t kTubesMax = 50;

/// What a result's order is found by where no number is its alone (sync/intake).
std::string own_id(const Json& order) {
  return ei(Json::object({{"system", sync::kMarkSystem}, {"value", order["id"].text()}}));
}

/// Of all analyzers keep of a number.
std::string_view first_component(std::string_view number) {
  return number.substr(0, number.find('^'));
}

/// Each an analytical work order step. `number` from 1.
std::string step(const Json& order, std::size_t number, const std::string& placer, bool is_shared,
                 const std::string& now) {
  const std::string code = cwe(order["code"]);
  return cat("ORC|NW|", placer, "|||||||", now, "\rTQ1|||||||||",
             priority_of(order["priority"].text()), "^^HL70485\rOBR|", number, '|',
             is_shared ? own_id(order) : placer, "||", code, "\rTCD|", code, "\r");
}

std::string steps(const std::vector<Json>& orders, const mapping::DeviceProfile& device,
                  const std::string& now) {
  std::vector<std::string> placers;
  for (const Json& order : orders) {
    // The tube's number is that of all its orders.
    const Json* const told = placer_identifier(order, device.specimen_id_issuer);
    placers.push_back(told == nullptr ? own_id(order) : ei(*told));
  }
  std::string text;
  for (std::size_t i = 0; i < orders.size(); ++i) {
    const auto same = std::ranges::count_if(placers, [&](const std::string& one) {
      return first_component(one) == first_component(placers[i]);
    });
    text += step(orders[i], i + 1, placers[i], same > 1, now);
  }
  return text;
}

bool names_another_issuer(const WorkQuery& query, const mapping::DeviceProfile& device) {
  return !query.specimen_issuer.empty() && query.specimen_issuer != device.specimen_id_issuer;
}

/// A test without a code or a text (OBR-4, TCD-1 are required) is none an analyzer could do.
void leave_out_nameless(sync::PendingOrders& pending) {
  if (pending.orders.empty()) return;
  std::erase_if(pending.orders, [](const Json& order) { return cwe(order["code"]).empty(); });
  if (pending.orders.empty()) pending.problem = "the orders of the specimen name no test";
}

}  // namespace

core::Result<FoundWork> find_work(crypto::Connection& connection, const WorkQuery& query,
                                  const mapping::DeviceProfile& device) {
  FoundWork found;
  const std::string& system = device.specimen_id_issuer;
  if (system.empty()) {
    found.problem = cat("no order is known by the number on a tube; set device.", device.name,
                        ".specimen_id_issuer");
    return found;
  }
  if (names_another_issuer(query, device)) {
    found.problem = cat("the container's number (QPD-3) is of another issuer than device.",
                        device.name, ".specimen_id_issuer");
    return found;
  }
  std::vector<std::string> numbers{query.specimen};
  if (query.is_all) {
    const auto any = [](const Json&) { return true; };
    GW_TRY(numbers, sync::pending_specimens(connection, system, any, kTubesMax));
  }
  for (std::string& number : numbers) {
    GW_TRY(sync::PendingOrders pending, sync::pending_orders(connection, system, number));
    leave_out_nameless(pending);
    if (!pending.problem.empty()) {
      ++found.left_out;
      if (!query.is_all) found.problem = pending.problem;
    } else if (!pending.orders.empty()) {
      found.tubes.push_back({std::move(number), std::move(pending)});
    }
  }
  return found;
}

std::string work_order_segments(const WorkOrder& work, const mapping::DeviceProfile& device,
                                core::Wall now, std::size_t number) {
  const std::string time = message_time(now);
  const std::string tube = escaped(work.specimen);
  const sync::PendingOrders& pending = work.pending;
  if (pending.orders.empty())
    return cat("SPM|", number, "||||||||||U^^HL70369\rSAC|||", tube, "\rORC|DC||||||||", time,
               "\r");
  const Json& specimen = pending.specimen;
  return cat(pid_segment(pending.patient, device.patient_id_issuer, number), "SPM|", number, '|',
             tube, "||", cwe(specimen["type"]), "|||||||P^^HL70369||||||", collected_at(specimen),
             "\rSAC|||", tube, "\r", steps(pending.orders, device, time));
}

core::Result<std::optional<WorkOrderMessage>> work_order_message(
    crypto::Connection& connection, const AskedTube& tube, const mapping::DeviceProfile& device,
    const core::Clock& clock) {
  WorkQuery query;
  query.specimen = tube.specimen;
  GW_TRY(const FoundWork found, find_work(connection, query, device));
  if (!found.problem.empty()) return core::Error(core::Code::refused, found.problem);
  if (found.tubes.empty() && !tube.tells_none) return std::optional<WorkOrderMessage>();
  const WorkOrder work = found.tubes.empty() ? WorkOrder{tube.specimen, {}} : found.tubes.front();
  WorkOrderMessage message;
  message.control_id = new_control_id(clock);
  message.text = cat("MSH|^~\\&|clinic-gateway||", tube.asker, '|', message_time(clock.wall()),
                     "||OML^O33^OML_O33|", message.control_id,
                     "|P|2.5.1|||NE|AL||UNICODE UTF-8|||LAB-28^IHE\r",
                     work_order_segments(work, device, clock.wall(), 1));
  return std::optional<WorkOrderMessage>(std::move(message));
}

}  // namespace gateway::adapters::hl7
