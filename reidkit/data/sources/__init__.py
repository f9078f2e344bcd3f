"""Images by the million: folders, Parquet files and webdataset tars, here or in an object store."""

from reidkit.data.sources.listing import Shard, list_shards
from reidkit.data.sources.reading import read_shard
from reidkit.data.sources.records import Record

__all__ = ["Record", "Shard", "list_shards", "read_shard"]
