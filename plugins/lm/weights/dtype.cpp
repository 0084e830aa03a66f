#include "plugins/lm/weights/dtype.h"

#include "engine/base/text.h"
#include "plugins/lm/weights/tensor.h"

#include <array>

namespace stillroom::lm {
namespace {

struct DtypeFacts {
    std::string_view name;
    int bits;
};

// In the order of the enum, which is safetensors' rank.
constexpr std::array<DtypeFacts, 22> kDtypes = {{
    {"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
    {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
    {"I32", 32},        {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},
    {"I64", 64},        {"U64", 64},
}};
static_assert(kDtypes.size() == static_cast<std::size_t>(Dtype::u64) + 1);

}  // namespace

std::string_view name_of(Dtype dtype) {
    return kDtypes[static_cast<std::size_t>(dtype)].name;
}

std::optional<Dtype> dtype_named(std::string_view name) {
    for (std::size_t i = 0; i < kDtypes.size(); ++i)
        if (kDtypes[i].name == name)
            return static_cast<Dtype>(i);
    return std::nullopt;
}

int bits_of(Dtype dtype) {
    return kDtypes[static_cast<std::size_t>(dtype)].bits;
}

std::string to_string(const Shape& shape) {
    std::string text = "[";
    for (std::size_t i = 0; i < shape.size(); ++i)
        text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + "]";
}

std::string shown(std::string_view name) {
    return shorten(escape_controls(name), 120);
}

}  // namespace stillroom::lm
