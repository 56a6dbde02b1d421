#include "adapters/dicom/encoded_file.h"

#include <dcmtk/dcmdata/dcostrmb.h>

#include <vector>

#include "adapters/dicom/part10_header.h"

namespace gateway::adapters::dicom {

core::Result<std::string> encode_file(DcmDataset& data_set, const std::string& sop_class_uid,
                                      const std::string& sop_instance_uid,
                                      const std::string& transfer_syntax) {
  const E_TransferSyntax syntax = DcmXfer(transfer_syntax.c_str()).getXfer();
  std::string bytes;
  for (const std::byte octet :
       part10_header(sop_class_uid, sop_instance_uid, transfer_syntax, {"CLINICGW"}))
    bytes += static_cast<char>(octet);
  std::vector<char> buffer(1u << 20);
  DcmOutputBufferStream stream(buffer.data(), static_cast<offile_off_t>(buffer.size()));
  data_set.transferInit();
  OFCondition cond = EC_StreamNotifyClient;
  while (cond == EC_StreamNotifyClient) {
    cond = data_set.write(stream, syntax, EET_UndefinedLength, nullptr);
    void* written = nullptr;
    offile_off_t size = 0;
    stream.flushBuffer(written, size);
    bytes.append(static_cast<const char*>(written), static_cast<std::size_t>(size));
  }
  data_set.transferEnd();
  if (cond.bad()) return core::Error(core::Code::invalid, "it cannot be written anew");
  return bytes;
}

}  // namespace gateway::adapters::dicom
