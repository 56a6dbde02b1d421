// What is to be done with a specimen, by the orders of the replica, for analyzers that ask
// (adapters/astm/host_query, adapters/hl7/work_order). An order is a specimen's where it carries
// the number on the tube, names the tube, or the tube names it. A number that leads to two patients
// leads to nobody. Inside the caller's snapshot or transaction.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"

namespace gateway::sync {

/// Active, and neither a proposal, a plan (R4, request-intent) nor an order not to do something.
bool is_to_be_done(const core::Json& order);

/// The Patient record that stays, where the hospital replaced the one the order names; null: it is
/// not here.
core::Result<core::Json> patient_of_order(crypto::Connection& connection, const core::Json& order);

struct PendingOrders {
  core::Json patient;
  core::Json specimen;             // null: no Specimen of that number is held
  std::vector<core::Json> orders;  // to be done; empty: nothing is
  // Not empty: there are orders, and why nobody may be told of them; for people, names nobody.
  std::string problem;
};
/// `system`: the issuer of the numbers on tubes. A Specimen is nobody's any more that is
/// unavailable or was entered in error, or that a message told of and whose orders are all over:
/// nobody ever says of those that their number is on another tube by now. Of several the one an
/// order to be done goes with comes first, then the newest; one that is unsatisfactory is a
/// problem.
core::Result<PendingOrders> pending_orders(crypto::Connection& connection,
                                           const std::string& system, const std::string& number);

/// Numbers of specimens whose orders are to be done and fit, of the newest orders first, each once.
core::Result<std::vector<std::string>> pending_specimens(
    crypto::Connection& connection, const std::string& system,
    const std::function<bool(const core::Json& order)>& fits, std::size_t count_max);

}  // namespace gateway::sync
