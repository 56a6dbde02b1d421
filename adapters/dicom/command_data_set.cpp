#include "adapters/dicom/command_data_set.h"

#include <dcmtk/dcmdata/dcistrmb.h>

#include "adapters/dicom/data_set_receiver.h"
#include "adapters/dicom/data_set_scanner.h"
#include "adapters/dicom/nesting.h"
#include "adapters/dicom/sealing_sink.h"
#include "core/text.h"

namespace gateway::adapters::dicom {

using core::Code;
using core::Error;

Encoding encoding_of(E_TransferSyntax syntax) {
  const DcmXfer xfer(syntax);
  if (xfer.isImplicitVR()) return Encoding::implicit_little;
  return xfer.isBigEndian() ? Encoding::explicit_big : Encoding::explicit_little;
}

core::Result<std::string> receive_command_data_set(Association& association,
                                                   T_ASC_PresentationContextID context,
                                                   std::size_t bytes_max) {
  association.peer().set_patience(association.peer().stall_timeout());
  association.peer().set_read_allowance(UINT64_MAX);
  BoundedSink sink(bytes_max);
  if (receive_data_set(*association.handle(), context, sink).bad())
    return Error(Code::unavailable, "the data set was broken off");
  if (sink.overflowed())
    return Error(Code::invalid,
                 core::cat("the data set is longer than the ", bytes_max, " bytes read here"));
  return sink.bytes();
}

core::Result<std::unique_ptr<DcmDataset>> parse_data_set(const std::string& bytes,
                                                         E_TransferSyntax syntax) {
  if (!nests_at_most(bytes, encoding_of(syntax), DataSetScanner::kDepthMax)) {
    return Error(Code::invalid, core::cat("its sequences nest deeper than the ",
                                          DataSetScanner::kDepthMax, " levels read here"));
  }
  auto data_set = std::make_unique<DcmDataset>();
  DcmInputBufferStream stream;
  if (!bytes.empty()) stream.setBuffer(bytes.data(), static_cast<offile_off_t>(bytes.size()));
  stream.setEos();
  data_set->transferInit();
  const OFCondition cond = data_set->read(stream, syntax, EGL_withoutGL);
  data_set->transferEnd();
  if (cond.bad()) return Error(Code::invalid, "the data set cannot be read");
  return data_set;
}

std::string text_of(DcmItem& item, const DcmTagKey& tag) {
  OFString value;
  if (item.findAndGetOFStringArray(tag, value).bad()) return {};
  return std::string(core::trim(std::string_view(value.c_str(), value.length())));
}

}  // namespace gateway::adapters::dicom
