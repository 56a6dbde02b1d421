// A service (SVC) of a POCT1-A observation message on its way to FHIR R4. Pure: document, hello,
// profile and the site's words on the device in, drafts out; whose they are and what they meet is
// decided in sync/intake.h.
//
// PT names the patient, SPC the specimen, each OBS becomes an Observation, a service with an order
// (ORD) a DiagnosticReport. What was measured of a control becomes nothing.
#pragma once

#include <string>

#include "adapters/poct1a/document.h"
#include "adapters/poct1a/poct1a_options.h"
#include "sync/incoming_message.h"

namespace gateway::adapters::poct1a {

/// One service with what surrounds it.
struct Service {
  const Document& document;
  const core::Json& body;   // the document's root where it has no SVC
  const core::Json& hello;  // identity_of() the device's hello
  const Poct1aDevice& device;

  const mapping::DeviceProfile& site() const { return device.options.profile; }
  const profiles::Profile& profile() const { return device.profile; }
};

/// The text at a place ("PT.patient_id"); empty: none.
std::string value_at(const Service& service, const profiles::Place& place);
/// By its role, by a control object, or by the profile's tests.
bool is_control(const Service& service);

/// Fills `out` (patient, drafts, gaps, event_at, dead_because).
void map_service(const Service& service, sync::IncomingMessage& out);

/// What the observations of a service share.
struct ServiceContext {
  std::string seed;
  std::string at;           // when it was measured, YYYYMMDD...; empty: not told
  std::string specimen_id;  // as sent; empty: none that means something beyond the device
  std::string specimen;     // reference, or empty
  std::string device;       // reference
};
/// OBS to a draft; answers the reference to it. `occurrence`: results of the same test before it.
std::string add_observation(const Service& service, const ServiceContext& context,
                            const core::Json& sent, std::size_t occurrence,
                            sync::IncomingMessage& out);
/// The test's code as the profile's map knows it.
std::string local_code(const core::Json& observation);

}  // namespace gateway::adapters::poct1a
