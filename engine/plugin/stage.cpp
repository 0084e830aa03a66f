#include "engine/plugin/stage.h"

namespace stillroom {

StageContext::~StageContext() = default;
DescribeContext::~DescribeContext() = default;
RunContext::~RunContext() = default;
Stage::~Stage() = default;

void StageContext::refuse(std::string_view key, std::string message, std::string hint) const {
    throw Error({}, std::move(message))
        .key(std::string(key))
        .hint(std::move(hint))
        .exit_code(kExitUsage);
}

std::string RunContext::recipe() const {
    return "[]";
}

std::filesystem::path RunContext::tensorboard() const {
    return {};
}

bool RunContext::strict() const {
    return false;
}

bool RunContext::spoils(std::string_view) {
    return false;
}

void Stage::describe(DescribeContext&) const {}

}  // namespace stillroom
