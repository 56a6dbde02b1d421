// What both sides did on one occasion without knowing of each other: two bookings of one slot, one
// vaccine given twice on a day. They are two resources, so no merge would meet them, and a person
// must (CLINICAL.md).
#pragma once

#include <string_view>

#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"
#include "sync/reconcile.h"

namespace gateway::sync {

/// Both hold one Slot: pending, booked, arrived, checked in or fulfilled.
bool book_one_slot(const core::Json& one, const core::Json& other);

/// One vaccine (a code in common, or the same text) was given on the same day.
bool vaccinate_twice(const core::Json& one, const core::Json& other);

/// For an Appointment or Immunization (anything else: nothing happens) that came from the
/// hospital's server or was merged with what came: `before` and `after` are what was and is shown
/// here, null for nothing. Of two bookings the later (by Appointment.created; the clinic's where
/// that does not tell) becomes proposed on both sides and a person is asked whether it is booked
/// after all; of two vaccinations a person is asked, and both stay as they are. What the hospital
/// has so from both is its own affair. In the caller's transaction.
core::Status flag_same_occasion(crypto::Connection& connection, const Reconciling& with,
                                const ResourceKey& arrived, const core::Json& before,
                                const core::Json& after, std::string_view now_instant);

}  // namespace gateway::sync
