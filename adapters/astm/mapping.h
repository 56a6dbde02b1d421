// An E1394 message on its way to FHIR R4. Pure: message, profile and the site's words on the device
// in, drafts out; whose they are and what they meet is decided in sync/intake.h.
//
// P names the patient, O becomes Specimen and DiagnosticReport, R an Observation, C its note. What
// a device measures of a control becomes nothing; manufacturer and scientific records stay in the
// raw message and are counted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/astm/astm_options.h"
#include "adapters/astm/records.h"
#include "sync/incoming_message.h"

namespace gateway::adapters::astm {

/// What a message is about.
enum class Kind {
  results,
  control,  // of nothing else
  query,
  other,
};
Kind kind_of(const Message& message, const profiles::Profile& profile);
/// Some of its results are no control's; a query may bring them along.
bool holds_results(const Message& message, const profiles::Profile& profile);
/// "ASTM results" and so on, as letters show it.
std::string_view to_string(Kind kind);

class Mapping {
 public:
  Mapping(const AstmDevice& device, sync::IncomingMessage& out) : device_(device), out_(out) {}

  const profiles::Profile& profile() const { return device_.profile; }
  const mapping::DeviceProfile& site() const { return device_.options.profile; }
  sync::IncomingMessage& out() { return out_; }
  /// Appends a draft; answers the reference to it.
  std::string add(sync::Draft draft) { return out_.add(std::move(draft)); }
  /// Counted once per message.
  void gap(std::string_view what, std::string_view system, std::string_view code,
           std::string_view label = "") {
    out_.add(sync::MappingGap{std::string(what), std::string(system), std::string(code),
                              std::string(label)});
  }

 private:
  const AstmDevice& device_;
  sync::IncomingMessage& out_;
};

/// Fills `out` (patient, drafts, gaps, event_at, dead_because) from a message of results.
void map_results(const Message& message, const AstmDevice& device, sync::IncomingMessage& out);

/// What the observations of one order share.
struct OrderContext {
  std::vector<const Record*> records;  // header, patient, order: for the profile's rules
  const Record* order = nullptr;       // null: results without one
  std::string seed;
  std::string specimen;     // reference, or empty
  std::string specimen_id;  // as sent; empty: none that means something beyond the device
  std::string device;       // reference
  std::string at;           // when the result was measured, as sent; empty: not told
};

/// R with its comments to a draft; answers the reference to it. `occurrence`: results of the same
/// test and time before it.
std::string add_observation(Mapping& mapping, const OrderContext& context, const Record& result,
                            const std::vector<const Record*>& comments, std::size_t occurrence);
/// When a result was completed, else when it was begun; as sent.
std::string time_of(const Record& result);
/// R-9 says that the result was sent before.
bool corrects_another(const Record& result);
/// A test id as the profile's map knows it.
std::string local_code(const profiles::Profile& profile, const Field& test_id);
/// True where the site declared that a device's final result of this test needs no person.
bool is_released(const Mapping& mapping, const Record& result);

}  // namespace gateway::adapters::astm
