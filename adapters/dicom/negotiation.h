// Which presentation contexts the gateway takes (PS3.8 7.1.1.13): Verification, Modality Worklist
// FIND, Modality Performed Procedure Step, Storage Commitment, Query/Retrieve, and everything that
// is or may be a storage class, unknown and private ones included, since objects are kept bit for
// bit without being understood. Decided per proposed context, so that no table of ours limits how
// many there are.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/assoc.h>

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "adapters/dicom/dicom_options.h"

namespace gateway::adapters::dicom {

enum class Service {
  none,
  verification,
  worklist,
  performed_step,
  commitment,
  archive_query,  // C-FIND
  retrieval,      // C-GET, C-MOVE
  storage,
};

/// The SOP classes that are not storage; docs/dicom-conformance.md lists them.
struct OfferedClass {
  const char* uid;
  Service service;
};
std::span<const OfferedClass> offered_classes();

Service service_of(std::string_view abstract_syntax);

/// True when this DCMTK hands over data sets in the transfer syntax untouched.
bool can_carry(std::string_view transfer_syntax);

/// Storage class to the transfer syntaxes its objects are held in.
using HeldSyntaxes = std::multimap<std::string, std::string, std::less<>>;

/// Accepts or refuses each proposed context, with the first proposed transfer syntax that can be
/// carried (for other services than storage: that can be parsed). Where the caller wants to be the
/// storage provider, for C-GET, it is the one all objects of the class are `held` in, else an
/// uncompressed one, which most can be decoded to. Who wants to be the provider of storage
/// commitment, to report one, may. Answers how many were accepted. What the
/// caller may not do is refused by the user.
int decide_contexts(T_ASC_Parameters& parameters, const Rights& rights,
                    const HeldSyntaxes& held = {});

/// True when a context is proposed in which the caller would be the storage provider.
bool proposes_retrieval(T_ASC_Parameters& parameters);

}  // namespace gateway::adapters::dicom
