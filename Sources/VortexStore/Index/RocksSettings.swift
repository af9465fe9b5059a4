internal import CRocksDB

/// How RocksDB is set up: for 1,000,000 rows of 250 bytes within 100 MB of memory, one writer,
/// point reads and long scans. What is set twice in the C API (options of the database, of its
/// tables) is one here.
struct RocksSettings {
    let options: OpaquePointer
    let pointReads: OpaquePointer
    let writes: OpaquePointer
    let flushes: OpaquePointer

    /// Two of these, one filling while the other is written out.
    private static let writeBufferBytes = 16 << 20
    private static let writeBuffersMax: Int32 = 2
    /// Blocks of rows, and the files' indexes and bloom filters with them.
    private static let blockCacheBytes = 64 << 20
    private static let blockCacheShardBits: Int32 = 2
    private static let blockBytes = 4 << 10
    /// Indexes and filters are cached in pieces like rows: a file's whole filter is larger than a
    /// shard of the cache, and would be read from disk for every row (12,000 gets/s instead of
    /// 110,000).
    private static let metadataBlockBytes: UInt64 = 4 << 10
    private static let filterBitsPerKey = 10.0
    private static let openFilesMax: Int32 = 256
    private static let fileBytes: UInt64 = 32 << 20
    private static let lowestLevelBytes: UInt64 = 64 << 20
    private static let logBytesMax = 1 << 20
    private static let manifestBytesMax = 16 << 20
    /// Written out to the device piece by piece, so that a flush does not hold up the journal's
    /// sync.
    private static let bytesPerSync: UInt64 = 1 << 20
    private static let logOnlyWarnings: Int32 = 2

    init() {
        options = rocksdb_options_create()
        Self.setUpMemory(options)
        Self.setUpFiles(options)
        Self.setUpTables(options)

        pointReads = rocksdb_readoptions_create()
        writes = rocksdb_writeoptions_create()
        rocksdb_writeoptions_disable_WAL(writes, 1)
        flushes = rocksdb_flushoptions_create()
        rocksdb_flushoptions_set_wait(flushes, 1)
    }

    func free() {
        rocksdb_flushoptions_destroy(flushes)
        rocksdb_writeoptions_destroy(writes)
        rocksdb_readoptions_destroy(pointReads)
        rocksdb_options_destroy(options)
    }

    private static func setUpMemory(_ options: OpaquePointer) {
        rocksdb_options_set_write_buffer_size(options, writeBufferBytes)
        rocksdb_options_set_max_write_buffer_number(options, writeBuffersMax)
        rocksdb_options_set_memtable_whole_key_filtering(options, 1)
        rocksdb_options_set_memtable_prefix_bloom_size_ratio(options, 0.02)
        rocksdb_options_set_max_open_files(options, openFilesMax)
        rocksdb_options_set_max_background_jobs(options, 2)
        rocksdb_options_set_stats_dump_period_sec(options, 0)
        rocksdb_options_set_stats_persist_period_sec(options, 0)
    }

    private static func setUpFiles(_ options: OpaquePointer) {
        rocksdb_options_set_create_if_missing(options, 1)
        rocksdb_options_set_paranoid_checks(options, 1)
        rocksdb_options_set_allow_mmap_reads(options, 0)
        rocksdb_options_set_allow_mmap_writes(options, 0)
        rocksdb_options_set_compression(options, Int32(rocksdb_lz4_compression))
        rocksdb_options_set_target_file_size_base(options, fileBytes)
        rocksdb_options_set_max_bytes_for_level_base(options, lowestLevelBytes)
        rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1)
        rocksdb_options_set_bytes_per_sync(options, bytesPerSync)
        rocksdb_options_set_info_log_level(options, logOnlyWarnings)
        rocksdb_options_set_keep_log_file_num(options, 1)
        rocksdb_options_set_max_log_file_size(options, logBytesMax)
        rocksdb_options_set_max_manifest_file_size(options, manifestBytesMax)
    }

    private static func setUpTables(_ options: OpaquePointer) {
        let size = rocksdb_lru_cache_options_create()
        defer { rocksdb_lru_cache_options_destroy(size) }
        rocksdb_lru_cache_options_set_capacity(size, blockCacheBytes)
        rocksdb_lru_cache_options_set_num_shard_bits(size, blockCacheShardBits)
        let cache = rocksdb_cache_create_lru_opts(size)
        defer { rocksdb_cache_destroy(cache) }
        let tables = rocksdb_block_based_options_create()
        defer { rocksdb_block_based_options_destroy(tables) }
        rocksdb_block_based_options_set_block_cache(tables, cache)
        rocksdb_block_based_options_set_block_size(tables, blockBytes)
        rocksdb_block_based_options_set_format_version(tables, 5)
        rocksdb_block_based_options_set_cache_index_and_filter_blocks(tables, 1)
        rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(tables, 1)
        rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(tables, 1)
        rocksdb_block_based_options_set_index_type(
            tables, Int32(rocksdb_block_based_table_index_type_two_level_index_search))
        rocksdb_block_based_options_set_partition_filters(tables, 1)
        rocksdb_block_based_options_set_metadata_block_size(tables, metadataBlockBytes)
        rocksdb_block_based_options_set_pin_top_level_index_and_filter(tables, 1)
        rocksdb_block_based_options_set_whole_key_filtering(tables, 1)
        rocksdb_block_based_options_set_filter_policy(
            tables, rocksdb_filterpolicy_create_bloom_full(filterBitsPerKey))
        rocksdb_options_set_block_based_table_factory(options, tables)
    }
}
