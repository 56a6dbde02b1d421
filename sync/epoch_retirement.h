// The second half of crypto-shredding. A shredded object's header is overwritten at once, but a
// flash drive may keep the old block aside; only when the epoch's key is gone too can nobody open
// it. So some time after something was shredded every survivor moves to a new epoch and the older
// keys are destroyed: at most kRetireAfter later, and as long as the moving takes.
//
// Blocking, for minutes where much is held; for the upkeep thread.
#pragma once

#include <chrono>
#include <functional>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"
#include "sync/holdings.h"

namespace gateway::sync {

/// Long enough that moving 200,000 headers wears no drive, short enough to be promised.
inline constexpr std::chrono::hours kRetireAfter{24 * 30};

/// In the transaction that forgets what was shredded.
core::Status note_shredded(crypto::Connection& connection, core::Wall now, std::size_t objects);

/// Something was shredded `after` ago or earlier, or a retirement was interrupted. A clock that was
/// set back makes it due too soon rather than never.
core::Result<bool> is_retirement_due(Holdings& holdings, core::Files& files,
                                     const core::Clock& clock, core::Milliseconds after);

/// Retires the epochs, with a row in the audit trail. First shreds what is doomed: it must not be
/// carried into the new epoch. Code::busy while an object is still being received under an older
/// epoch, Code::cancelled once `stopping` says so: both are gone on with by the next call or start.
core::Status retire_epochs(Holdings& holdings, core::Files& files, const core::Clock& clock,
                           const std::function<bool()>& stopping);

}  // namespace gateway::sync
