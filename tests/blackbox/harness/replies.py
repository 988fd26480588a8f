"""What replies must look like (contract, section 3)."""
SUCCESS_TEXT = "mqtt 消息发送成功"
FAILURE_TEXT = "mqtt 消息发送失败"


def is_success(reply):
    return reply.get("code") == 1


def assert_success(reply):
    assert reply.get("code") == 1 and reply.get("msg") == SUCCESS_TEXT, reply
    assert "error" not in reply and "published" not in reply, reply


def assert_successes(client, count):
    """The client's next `count` replies are successes."""
    for reply in client.read_replies(count):
        assert_success(reply)


def assert_failure(reply, error, published="no"):
    assert list(reply)[0] == "code", reply
    assert (reply["code"], reply["msg"]) == (2, FAILURE_TEXT), reply
    assert (reply["error"], reply["published"]) == (error, published), reply
    assert isinstance(reply["detail"], str) and reply["detail"], reply
