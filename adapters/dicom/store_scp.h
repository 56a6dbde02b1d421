// C-STORE SCP (PS3.4 B, PS3.7 9.1.1): streams the data set into a sealed object, has it committed,
// answers. Internal to adapters/dicom.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "adapters/dicom/association.h"
#include "adapters/dicom/refusal.h"
#include "adapters/dicom/traffic.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

class SealingSink;

/// Serves the C-STOREs of one association, on its thread.
class StoreScp {
 public:
  StoreScp(Association& association, const sync::HoldingsDoor& door, Traffic& traffic);

  /// Receives and answers one request. False: the association broke; nothing was committed unless
  /// the answer itself could not be sent.
  bool serve(T_ASC_PresentationContextID context, const T_DIMSE_C_StoreRQ& request);

  /// What happened on this association, for one log line: "12 stored, 1 refused (...)"; empty when
  /// nothing did.
  std::string summary() const;

 private:
  bool receive(T_ASC_PresentationContextID context, SealingSink& sink);
  Refusal store(sync::Holdings& holdings, SealingSink& sink, const T_DIMSE_C_StoreRQ& request);
  Refusal refuse(const core::Error& failure);
  void note_refusal(const Refusal& refusal, const std::string& detail);
  bool answer(T_ASC_PresentationContextID context, const T_DIMSE_C_StoreRQ& request,
              const Refusal& refusal);

  Association& association_;
  const sync::HoldingsDoor& door_;
  Traffic& traffic_;
  std::map<std::string, int> outcomes_;  // by what the log calls them
};

}  // namespace gateway::adapters::dicom
