#include "adapters/dicom/echo.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcuid.h>
#include <dcmtk/dcmnet/dimse.h>

#include "adapters/dicom/outgoing_association.h"
#include "adapters/dicom/store_status.h"
#include "core/text.h"

namespace gateway::adapters::dicom {

core::Status echo(const DicomUplink& uplink) {
  Line line;
  GW_TRY(const auto association,
         OutgoingAssociation::open(
             line, uplink.to(), uplink.calling_title, uplink.peer.ae_title,
             {{UID_VerificationSOPClass, {UID_LittleEndianImplicitTransferSyntax}, false}}));
  DIC_US answer = 0;
  const OFCondition said =
      DIMSE_echoUser(association->handle(), association->handle()->nextMsgID++, DIMSE_NONBLOCKING,
                     Line::kAnswerSeconds, &answer, nullptr);
  if (said.bad())
    return core::Error(
        core::Code::unavailable,
        core::cat("it takes our association and does not answer C-ECHO: ", said.text()));
  association->release();
  if (answer != STATUS_Success)
    return core::Error(core::Code::unavailable,
                       core::cat("it answers C-ECHO with ", status_words(answer)));
  return {};
}

}  // namespace gateway::adapters::dicom
