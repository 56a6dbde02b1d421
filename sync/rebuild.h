// With the database gone, or an older one restored, keyring and object files alone give every image
// back: each object is a DICOM file whose head says what it is. The rows are made anew from there;
// what was delivered is not known any more, so everything is queued as perhaps sent: the uplinks
// look before they send. What is lost: docs/formats.md, "Rebuilding the index".
//
// Asked for by a mark in the state folder, which stays until the work is done: a crash leaves it to
// be done again, and what is there already is recognised.
#pragma once

#include <string>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"

namespace gateway::sync {

class Holdings;

/// Durable: the next opening of the holdings rebuilds the index.
core::Status want_rebuild(core::Files& files, const std::string& state_folder);
core::Result<bool> is_rebuild_wanted(core::Files& files, const std::string& state_folder);

/// Takes back every object no row knows, and lets the numbers given to orders begin where none was
/// given before. Before the sweep, and before anything is taken in. An object that cannot be read
/// is named in the log; it stays where it is, unless it lies in `incoming/`, where it counts as
/// unfinished, but for one that the disk refused or that may be of an epoch whose key is lost: that
/// is put in place for a later rebuild. `actor`: who wants it, for the audit.
core::Status rebuild_index(Holdings& holdings, const core::Clock& clock, const std::string& actor);
/// Takes the mark away, once the index is rebuilt.
core::Status forget_rebuild(core::Files& files, const std::string& state_folder);

}  // namespace gateway::sync
