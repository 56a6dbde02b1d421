#include "adapters/dicom/data_set_receiver.h"

#include <dcmtk/dcmnet/dimse.h>
#include <dcmtk/dcmnet/dul.h>

namespace gateway::adapters::dicom {
namespace {

/// One PDU may hold several PDVs: those that came already are handed out before the socket is read
/// again.
OFCondition next_pdv(T_ASC_Association& association, DUL_PDV& pdv) {
  if (DUL_NextPDV(&association.DULassociation, &pdv).good()) return EC_Normal;
  const OFCondition arrived = DUL_ReadPDVs(&association.DULassociation, nullptr, DUL_BLOCK, 0);
  if (arrived != DUL_PDATAPDUARRIVED) return arrived.bad() ? arrived : DIMSE_READPDVFAILED;
  return DUL_NextPDV(&association.DULassociation, &pdv);
}

}  // namespace

OFCondition receive_data_set(T_ASC_Association& association, T_ASC_PresentationContextID context,
                             DcmConsumer& consumer) {
  while (true) {
    DUL_PDV pdv{};
    const OFCondition cond = next_pdv(association, pdv);
    if (cond.bad()) return cond;
    if (pdv.pdvType != DUL_DATASETPDV) return DIMSE_UNEXPECTEDPDVTYPE;
    if (pdv.presentationContextID != context) return DIMSE_RECEIVEFAILED;
    consumer.write(pdv.data, static_cast<offile_off_t>(pdv.fragmentLength));
    if (pdv.lastPDV) return EC_Normal;
  }
}

}  // namespace gateway::adapters::dicom
