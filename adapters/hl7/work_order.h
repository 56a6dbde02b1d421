// What is to be done with a tube, for a device that asked (work_query.h): found in the replica, and
// said as IHE PaLM LAW has it (LAB-28, OML^O33): PID, SPM, SAC, and for each order ORC NW, TQ1,
// OBR, TCD. A tube with which nothing is to be done is a SPM of unknown role and ORC DC.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/hl7/work_query.h"
#include "adapters/mapping/device_profile.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"
#include "sync/pending_orders.h"

namespace gateway::adapters::hl7 {

struct WorkOrder {
  std::string specimen;  // the number on the tube
  sync::PendingOrders pending;
};
struct FoundWork {
  std::vector<WorkOrder> tubes;  // each with orders; asked for all: at most 50
  std::size_t left_out = 0;      // asked for all: tubes of which nobody may be told
  std::string problem;           // asked for one: why nobody may be told; for people
};
/// Inside the caller's snapshot. An order that names no test is not told.
core::Result<FoundWork> find_work(crypto::Connection& connection, const WorkQuery& query,
                                  const mapping::DeviceProfile& device);

/// Each ended by CR; `number`: of the tube in its message, from 1. OBR-2 is one order's alone: the
/// placer's number, or the id of the resource where it has none or shares it.
std::string work_order_segments(const WorkOrder& work, const mapping::DeviceProfile& device,
                                core::Wall now, std::size_t number);

/// A tube with which a device asked what to do.
struct AskedTube {
  std::string asker;  // as WorkQuery has it
  std::string specimen;
  bool tells_none = false;  // that nothing is to be done is told too
};
/// A message of the gateway's own: OML^O33, without MLLP's frame.
struct WorkOrderMessage {
  std::string control_id;
  std::string text;
};
/// What there is to tell now; nothing: nothing is. Code::refused: why nobody may be told. Inside
/// the caller's snapshot.
core::Result<std::optional<WorkOrderMessage>> work_order_message(
    crypto::Connection& connection, const AskedTube& tube, const mapping::DeviceProfile& device,
    const core::Clock& clock);

}  // namespace gateway::adapters::hl7
