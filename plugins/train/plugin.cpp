#include "engine/plugin/plugin.h"

#include "plugins/train/distill.h"
#include "plugins/train/pretrain.h"

STILLROOM_PLUGIN("train", "0.1.0") {
    registry.add<stillroom::train::Distill>();
    registry.add<stillroom::train::Pretrain>();
}
