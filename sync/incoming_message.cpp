#include "sync/incoming_message.h"

#include <algorithm>

namespace gateway::sync {

std::string IncomingMessage::add(Draft draft) {
  drafts.push_back(std::move(draft));
  return draft_reference(drafts.size() - 1);
}

void IncomingMessage::add(MappingGap gap) {
  if (std::ranges::find(gaps, gap) == gaps.end()) gaps.push_back(std::move(gap));
}

}  // namespace gateway::sync
