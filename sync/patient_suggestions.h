// Whom a message that waits for a patient may be about, for the person who decides (CLINICAL.md,
// Identity: barcode, phonetic and date search). Nothing is assigned here, and no score is high
// enough that anything were.
#pragma once

#include <cstddef>

#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"
#include "sync/incoming_message.h"

namespace gateway::sync {

inline constexpr std::size_t kSuggestionsMax = 5;

/// At most kSuggestionsMax, the likeliest first; of a person whose record was replaced the one that
/// stays: [{"patient" (id),"name" (PN),"birth_date","gender","identifiers":[{"system","value"}],
/// "score" (1 to 100),"because":[...],"but":[...]}]. `because`: identifier, identifier_of_another
/// (the number under another issuer), order (an active one carries the specimen's or the order's
/// number), order_number (one that is over, or of another issuer), name, near_name, family_name,
/// birth_date, near_birth_date (a digit, or day and month). `but`: other_birth_date, other_sex.
/// With patients.
core::Result<core::Json> suggest_patients(crypto::Connection& connection,
                                          const IncomingMessage& message);

}  // namespace gateway::sync
