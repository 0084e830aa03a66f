#include "engine/run/process.h"

namespace stillroom {

Process::~Process() = default;

}  // namespace stillroom
