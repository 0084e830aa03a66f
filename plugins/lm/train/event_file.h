#pragma once

#include "engine/base/api.h"
#include "engine/base/descriptor.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// CRC-32 of Castagnoli, as iSCSI has it.
STILLROOM_API std::uint32_t crc32c(std::string_view bytes);

/// A point of a curve. NaN is one, too.
struct Scalar {
    std::string_view tag;
    float value = 0;
};

/// A file of numbers over steps that TensorBoard reads. What cannot be written is left out and said
/// once: curves never end a training.
class STILLROOM_API EventFile {
public:
    /// A new file in the folder, which is made. `now` is in seconds since 1970. `again_from`: a run
    /// that goes on comes to this step a second time, so what older files say from there on no
    /// longer counts.
    EventFile(const std::filesystem::path& folder,
              double now,
              std::optional<std::int64_t> again_from = {});

    void add(const std::vector<Scalar>& values, std::int64_t step, double now);

    const std::filesystem::path& path() const { return path_; }
    /// Why nothing is written any more; empty while all is well.
    const std::string& trouble() const { return trouble_; }

private:
    void write(const std::string& event);

    std::filesystem::path path_;
    Descriptor file_;
    std::string trouble_;
};

}  // namespace stillroom::lm
