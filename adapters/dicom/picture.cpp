#include "adapters/dicom/picture.h"

#include <dcmtk/dcmimgle/dcmimage.h>

// They need what stands in the one above.
#include <dcmtk/dcmimage/dipipng.h>
#include <dcmtk/dcmimage/diregist.h>
#include <dcmtk/dcmjpeg/dipijpeg.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace gateway::adapters::dicom {
namespace {

using core::Code;
using core::Error;

void set_window(DicomImage& image) {
  if (!image.isMonochrome()) return;
  if (image.getWindowCount() > 0 && image.setWindow(0) != 0) return;
  (void)image.setMinMaxWindow();
}

std::unique_ptr<DicomImage> scaled(std::unique_ptr<DicomImage> image, std::uint32_t edge_max) {
  const unsigned long width = image->getWidth();
  const unsigned long height = image->getHeight();
  const unsigned long edge = std::max(width, height);
  if (edge_max == 0 || edge <= edge_max) return image;
  return std::unique_ptr<DicomImage>(
      image->createScaledImage(std::max(1ul, width * edge_max / edge),
                               std::max(1ul, height * edge_max / edge), 1 /* interpolate */));
}

// DCMTK writes to files only; this one is in memory.
core::Result<std::string> write(DicomImage& image, const DiPluginFormat& format) {
  char* bytes = nullptr;
  std::size_t size = 0;
  std::FILE* const file = ::open_memstream(&bytes, &size);
  if (file == nullptr) return Error(Code::internal, "no memory for the picture");
  const int written = image.writePluginFormat(&format, file);
  (void)std::fclose(file);
  if (bytes == nullptr) return Error(Code::internal, "no memory for the picture");
  std::string picture(bytes, size);
  std::free(bytes);  // NOLINT: open_memstream's
  if (written == 0 || picture.empty())
    return Error(Code::invalid, "the image cannot be written as a picture");
  return picture;
}

}  // namespace

core::Result<std::string> make_picture(DcmDataset& data_set, std::uint32_t frame,
                                       PictureFormat format, std::uint32_t edge_max) {
  auto image = std::make_unique<DicomImage>(&data_set, data_set.getOriginalXfer(),
                                            CIF_UsePartialAccessToPixelData, frame, 1);
  if (image->getStatus() != EIS_Normal)
    return Error(Code::invalid, "it holds no image that can be shown here");
  set_window(*image);
  image = scaled(std::move(image), edge_max);
  if (!image || image->getStatus() != EIS_Normal)
    return Error(Code::invalid, "the image cannot be made smaller");
  if (format == PictureFormat::png) return write(*image, DiPNGPlugin());
  return write(*image, DiJPEGPlugin());
}

}  // namespace gateway::adapters::dicom
