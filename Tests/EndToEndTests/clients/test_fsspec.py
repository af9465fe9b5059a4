"""aiobotocore's many requests in one thread, and s3fs, fsspec's file system over it."""

import asyncio
import random

import s3fs
from aiobotocore.session import get_session

from clients.files import assert_same, names
from keyed import KEY, SECRET


def test_aiobotocore(store):
    bucket = "aiobotocore"

    async def job(s3, number):
        body, key = random.Random(number).randbytes(number * 5_003), f"a b/{number:03}"
        await s3.put_object(Bucket=bucket, Key=key, Body=body)
        answer = await s3.get_object(Bucket=bucket, Key=key)
        async with answer["Body"] as stream:
            assert await stream.read() == body

    async def in_parts(s3):
        place = {"Bucket": bucket, "Key": "in parts"}
        place["UploadId"] = (await s3.create_multipart_upload(**place))["UploadId"]
        piece = random.Random(0).randbytes(5 << 20)
        done = await asyncio.gather(*(
            s3.upload_part(**place, PartNumber=number, Body=piece) for number in range(1, 5)))
        parts = [{"PartNumber": number, "ETag": one["ETag"]} for number, one in enumerate(done, 1)]
        await s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        head = await s3.head_object(Bucket=bucket, Key="in parts")
        assert head["ContentLength"] == 4 * len(piece)

    async def main():
        async with get_session().create_client(
                "s3", endpoint_url=store.url, aws_access_key_id=KEY, aws_secret_access_key=SECRET,
                region_name="us-east-1") as s3:
            await s3.create_bucket(Bucket=bucket)
            with store.losing_a_node(after=30):
                await asyncio.gather(in_parts(s3), *(job(s3, number) for number in range(100)))
            keys = []
            async for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                keys += [{"Key": one["Key"]} for one in page["Contents"]]
            assert len(keys) == 101
            await s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})
            await s3.delete_bucket(Bucket=bucket)

    asyncio.run(main())
    store.assert_gone(bucket)


def test_s3fs(store, tree, back):
    files = s3fs.S3FileSystem(
        key=KEY, secret=SECRET, endpoint_url=store.url, use_listings_cache=False,
        client_kwargs={"region_name": "us-east-1"})
    files.mkdir("s3fs-python")
    with store.losing_a_node(after=10):
        files.put(f"{tree}/", "s3fs-python/t", recursive=True)
        # Names with brackets and stars are names here, not patterns.
        for path in files.find("s3fs-python/t"):
            name = path.removeprefix("s3fs-python/t/")
            (back / name).parent.mkdir(parents=True, exist_ok=True)
            files.get_file(path, str(back / name))
    assert_same(tree, back)
    store.assert_holds("s3fs-python", tree, "t/")
    assert {one.removeprefix("s3fs-python/t/") for one in files.find("s3fs-python/t")} == names(tree)
    with files.open("s3fs-python/t/sub/in parts.bin", "rb") as file:
        file.seek(20_000_000)
        assert file.read(100) == (tree / "sub/in parts.bin").read_bytes()[20_000_000:20_000_100]
    with files.open("s3fs-python/written", "wb", block_size=5 << 20) as file:
        for number in range(12):
            file.write(bytes([number]) * 1_000_000)
    assert files.info("s3fs-python/written")["size"] == 12_000_000
    files.mv("s3fs-python/written", "s3fs-python/moved")
    assert not files.exists("s3fs-python/written") and files.exists("s3fs-python/moved")
    with store.losing_a_node(after=1):
        files.rm("s3fs-python", recursive=True)
    store.assert_gone("s3fs-python")
