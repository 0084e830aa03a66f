#include "engine/plugin/plugin.h"

#include "plugins/checkpoint/compare.h"
#include "plugins/checkpoint/export.h"
#include "plugins/checkpoint/init.h"
#include "plugins/checkpoint/inspect.h"
#include "plugins/checkpoint/load.h"

STILLROOM_PLUGIN("checkpoint", "0.1.0") {
    registry.add<stillroom::checkpoint::Compare>();
    registry.add<stillroom::checkpoint::Export>();
    registry.add<stillroom::checkpoint::Init>();
    registry.add<stillroom::checkpoint::Inspect>();
    registry.add<stillroom::checkpoint::Load>();
}
