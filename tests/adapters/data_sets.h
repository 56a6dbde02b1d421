// Data sets for the tests of the DICOM adapter, encoded by DCMTK.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcostrmb.h>
#include <dcmtk/dcmdata/dctk.h>
#include <gtest/gtest.h>

#include <array>
#include <span>
#include <string>

#include "adapters/dicom/element_header.h"

namespace gateway::adapters::dicom {

inline constexpr char kCtImageStorage[] = "1.2.840.10008.5.1.4.1.1.2";

struct Syntax {
  E_TransferSyntax dcmtk;
  Encoding encoding;
};
inline constexpr std::array kSyntaxes = {
    Syntax{EXS_LittleEndianImplicit, Encoding::implicit_little},
    Syntax{EXS_LittleEndianExplicit, Encoding::explicit_little},
    Syntax{EXS_BigEndianExplicit, Encoding::explicit_big}};

inline std::span<const std::byte> octets(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// The encoded data set, without File Meta.
inline std::string encode(DcmDataset& data_set, E_TransferSyntax syntax,
                          E_EncodingType lengths = EET_UndefinedLength) {
  std::string buffer(4u << 20, '\0');
  DcmOutputBufferStream stream(buffer.data(), static_cast<offile_off_t>(buffer.size()));
  data_set.transferInit();
  const OFCondition cond = data_set.write(stream, syntax, lengths, nullptr);
  data_set.transferEnd();
  EXPECT_TRUE(cond.good()) << cond.text();
  stream.flush();
  void* written = nullptr;
  offile_off_t size = 0;
  stream.flushBuffer(written, size);
  return std::string(static_cast<const char*>(written), static_cast<std::size_t>(size));
}

inline void put(DcmItem& item, const DcmTagKey& tag, const std::string& value) {
  EXPECT_TRUE(item.putAndInsertOFStringArray(tag, value.c_str()).good());
}

/// A small CT image; `number` makes its SOP Instance UID.
inline void fill_ct(DcmDataset& data_set, int number, std::size_t pixel_bytes = 512) {
  put(data_set, DCM_SOPClassUID, kCtImageStorage);
  put(data_set, DCM_SOPInstanceUID, "1.2.826.0.1.3680043.10.1.1." + std::to_string(number));
  put(data_set, DCM_StudyInstanceUID, "1.2.826.0.1.3680043.10.1");
  put(data_set, DCM_SeriesInstanceUID, "1.2.826.0.1.3680043.10.1.1");
  put(data_set, DCM_StudyDate, "20260301");
  put(data_set, DCM_StudyTime, "091500");
  put(data_set, DCM_Modality, "CT");
  put(data_set, DCM_AccessionNumber, "A1");
  put(data_set, DCM_PatientName, "Roe^Jane");
  put(data_set, DCM_PatientID, "P1");
  put(data_set, DCM_PatientBirthDate, "19800102");
  put(data_set, DCM_PatientSex, "F");
  put(data_set, DCM_InstanceNumber, std::to_string(number));
  EXPECT_TRUE(data_set.putAndInsertUint16(DCM_SamplesPerPixel, 1).good());
  put(data_set, DCM_PhotometricInterpretation, "MONOCHROME2");
  EXPECT_TRUE(data_set.putAndInsertUint16(DCM_Rows, 16).good());
  EXPECT_TRUE(data_set.putAndInsertUint16(DCM_Columns, 16).good());
  EXPECT_TRUE(data_set.putAndInsertUint16(DCM_BitsAllocated, 16).good());
  EXPECT_TRUE(data_set.putAndInsertUint16(DCM_BitsStored, 16).good());
  EXPECT_TRUE(data_set.putAndInsertUint16(DCM_HighBit, 15).good());
  EXPECT_TRUE(data_set.putAndInsertUint16(DCM_PixelRepresentation, 0).good());
  std::string pixels(pixel_bytes, '\0');
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<char>(i * 7 + number);
  EXPECT_TRUE(data_set
                  .putAndInsertUint8Array(DCM_PixelData,
                                          reinterpret_cast<const Uint8*>(pixels.data()),
                                          static_cast<unsigned long>(pixels.size()))
                  .good());
}

}  // namespace gateway::adapters::dicom
