#pragma once

#include "plugins/lm/data/dataset_folder.h"
#include "plugins/lm/data/indexed_writer.h"
#include "tests/engine/temporary_folder.h"

#include <numeric>
#include <string>
#include <vector>

namespace stillroom::lm {

/// A pair of files whose tokens count up from `first`, in documents of these lengths.
inline DatasetPart part_of(const TemporaryFolder& folder,
                           const std::string& name,
                           std::uint32_t first,
                           const std::vector<std::size_t>& lengths,
                           std::optional<double> weight = {}) {
    IndexedWriter writer(folder / name, TokenType::u16);
    for (std::size_t length : lengths) {
        std::vector<std::uint32_t> ids(length);
        std::iota(ids.begin(), ids.end(), first);
        first += static_cast<std::uint32_t>(length);
        writer.add_document(ids);
    }
    writer.close();
    return {name, "", weight, Count::exactly(writer.documents()), Count::exactly(writer.tokens())};
}

inline DatasetInfo info_of(std::vector<DatasetPart> parts) {
    DatasetInfo info;
    info.parts = std::move(parts);
    info.vocabulary = 1000;
    return info;
}

}  // namespace stillroom::lm
