// A document of named fields on its way to FHIR R4, by its profile: Patient, Device, and an
// Observation for each value. Pure: document, profile and the site's words on the device in, drafts
// out; whose they are and what they meet is decided in sync/intake.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/frame/device_options.h"
#include "adapters/profiles/profile.h"
#include "core/json.h"
#include "sync/incoming_message.h"

namespace gateway::adapters::fields {

struct FieldDevice {
  frame::DeviceOptions options;
  profiles::Profile profile;
};

struct FieldDocument {
  core::Json whole;      // as parse_document() makes it
  core::Json context;    // {"file":{...}} or {"topic":{...}}
  std::string came_at;   // instant: of what names no time of its own
  std::string document;  // draft reference of the document beside it; or empty
};

/// A value beyond a limit of its profile.
struct Crossing {
  std::string code;
  std::string text;  // for people: "temperature 9.1 Cel, above 8"; no patient data
  bool is_beyond = false;
};

/// Fills `out` (patient, drafts, gaps, event_at, dead_because). Answers, for each value with
/// limits, on which side it is.
std::vector<Crossing> map_fields(const FieldDocument& document, const FieldDevice& device,
                                 sync::IncomingMessage& out);

/// The patient of a document without rows, by the context alone (a file's name).
void map_patient(const FieldDocument& document, const FieldDevice& device,
                 sync::IncomingMessage& out);

/// "20.11.2026 10:02", "2026-11-20T10:02:33Z" as YYYYMMDD[HHMM[SS[.S]]][+ZZZZ]; what has that form
/// already stays; empty: no time.
std::string compact_time(std::string_view text, profiles::DateOrder order);

}  // namespace gateway::adapters::fields
