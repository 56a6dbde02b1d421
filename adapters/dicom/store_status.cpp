#include "adapters/dicom/store_status.h"

#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

constexpr std::uint16_t kClassMask = 0xff00;

std::string_view meaning_of(std::uint16_t status) {
  switch (status) {
    case 0x0000:
      return "success";
    case 0x0106:
      return "invalid attribute value";
    case 0x0110:
      return "processing failure";
    case 0x0111:
      return "duplicate SOP instance";
    case 0x0112:
      return "no such SOP instance";
    case 0x0115:
      return "invalid argument";
    case 0x0117:
      return "invalid SOP instance";
    case 0x0118:
      return "no such SOP class";
    case 0x0119:
      return "class and instance conflict";
    case 0x0122:
      return "SOP class not supported";
    case 0x0123:
      return "no such action";
    case 0x0124:
      return "not authorized";
    case 0x0131:
      return "duplicate transaction UID";
    case 0x0210:
      return "duplicate invocation";
    case 0x0211:
      return "unrecognized operation";
    case 0x0212:
      return "mistyped argument";
    case 0x0213:
      return "resource limitation";
    case 0xb000:
      return "coercion of data elements";
    case 0xb006:
      return "elements discarded";
    case 0xb007:
      return "data set does not match SOP class";
    default:
      break;
  }
  switch (status & kClassMask) {
    case 0xa700:
      return "out of resources";
    case 0xa900:
      return "data set does not match SOP class";
    default:
      return (status & 0xf000) == 0xc000 ? "cannot understand" : "of its own";
  }
}

}  // namespace

StoreAnswer store_answer(std::uint16_t status) {
  if (status == 0) return StoreAnswer::stored;
  if ((status & 0xf000) == 0xb000) return StoreAnswer::warned;
  if ((status & kClassMask) == 0xa700) return StoreAnswer::try_later;
  switch (status) {
    case 0x0111:
      return StoreAnswer::have_it;
    case 0x0110:
    case 0x0210:
    case 0x0213:
      return StoreAnswer::try_later;
    default:
      return StoreAnswer::refused;
  }
}

std::string status_words(std::uint16_t status) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string text;
  for (int shift = 12; shift >= 0; shift -= 4) text += kDigits[(status >> shift) & 0xf];
  return core::cat(text, " (", meaning_of(status), ")");
}

}  // namespace gateway::adapters::dicom
