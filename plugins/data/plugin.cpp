#include "engine/plugin/plugin.h"

#include "plugins/data/mock.h"

STILLROOM_PLUGIN("data", "0.1.0") {
    registry.add<stillroom::data::Mock>();
}
