"""What can be wrong with a file, a row or a value, in both languages; each message names the value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rules.rule import Text

_SHOWN: Final = 60

_TEXTS: Final[Mapping[str, Text]] = {
    "id": Text(
        "id {value} cannot be used; write a name of 1 to 256 characters",
        "编号 {value} 不可用；请填写 1 至 256 个字符的名称",
    ),
    "robot_id": Text(
        "id {value} is no robot's id; use 1 to 64 letters, digits, _ and -",
        "编号 {value} 不是机器人编号；请用 1 至 64 个字母、数字、_ 或 -",
    ),
    "text": Text(
        "{field} {value} is no text of at most {most} characters",
        "{field} {value} 不是不超过 {most} 个字符的文本",
    ),
    "one_of": Text(
        "{field} {value} is none of {known}",
        "{field} {value} 不在可选值中：{known}",
    ),
    "tz": Text(
        "tz {value} is no time zone; write one such as Asia/Shanghai",
        "时区 {value} 不存在；请写成 Asia/Shanghai 这样",
    ),
    "date": Text(
        "{field} {value} is no date; write YYYY-MM-DD",
        "{field} {value} 不是日期；请写成 YYYY-MM-DD",
    ),
    "open_hours": Text(
        "{reason}",
        "营业时间 {value} 无法识别；请写成 mo-fr 09:00-18:00; sa,su 10:00-16:00，或 24/7",
    ),
    "holidays": Text(
        "{reason}",
        "节假日 {value} 无法识别；请写成 2026-10-01 2026-10-02",
    ),
    "amount": Text(
        "{field} {value} is no number from 0 up; write such as 120000 or 1200.50",
        "{field} {value} 不是大于等于 0 的数字；请写成 120000 或 1200.50",
    ),
    "count": Text(
        "{field} {value} is no whole number from 0 to 1,000,000",
        "{field} {value} 不是 0 到 1,000,000 的整数",
    ),
    "currency": Text(
        "currency {value} is no code of three letters such as CNY",
        "币种 {value} 不是三位字母代码，例如 CNY",
    ),
    "yes_or_no": Text(
        "{field} {value} is neither yes nor no",
        "{field} {value} 应为 yes 或 no（是或否）",
    ),
    "attribute": Text(
        "{value} is no attribute's name; use lower-case letters, digits and _",
        "{value} 不能作为属性名；请用小写字母、数字和 _",
    ),
    "number": Text(
        "{field} must be a number or text, not {value}",
        "{field} 应为数字或文本，而不是 {value}",
    ),
    "required": Text(
        "{field} is missing",
        "缺少 {field}",
    ),
    "order": Text(
        "ends_on {value} is before begins_on {begins_on}",
        "ends_on {value} 早于 begins_on {begins_on}",
    ),
    "unknown_field": Text(
        "{what} have no {value}; there are {known}",
        "{what} 没有 {value} 这一项；可用：{known}",
    ),
    "meant": Text(
        "{what} have no {value}; did you mean {close}?",
        "{what} 没有 {value} 这一项；是否应为 {close}？",
    ),
    "twice": Text(
        "{kind} {value} stands in the file twice; first at {place}",
        "{kind} {value} 出现了两次；第一次在 {place}",
    ),
    "foreign": Text(
        "{value} belongs to a customer that somebody else looks after",
        "{value} 属于他人负责的客户",
    ),
    "cells": Text(
        "{cells} cells under {columns} columns; put text with commas in quotes",
        "有 {cells} 个单元格，但只有 {columns} 列；含逗号的文本请加引号",
    ),
    "no_row": Text(
        "no {kind}; write '- id: …' and its attributes below",
        "不是一条 {kind}；请写“- id: …”，其余各项写在下面",
    ),
    "no_value": Text(
        "{value} must be a text or a number",
        "{value} 应为文本或数字",
    ),
    "key_twice": Text(
        "{value} is given twice",
        "{value} 写了两次",
    ),
    # of a file as a whole
    "suffix": Text(
        "neither YAML nor CSV; name it .yaml or .csv",
        "既不是 YAML 也不是 CSV；文件名应以 .yaml 或 .csv 结尾",
    ),
    "no_kind": Text(
        "nothing says what its rows are; name it customers.csv, contracts.csv, sites.csv or robots.csv, "
        "or give the kind",
        "看不出各行是什么；请命名为 customers.csv、contracts.csv、sites.csv 或 robots.csv，或指定类别",
    ),
    "too_large": Text(
        "over {most} MiB; split the file",
        "超过 {most} MiB；请拆分文件",
    ),
    "unreadable": Text(
        "cannot be read: {reason}",
        "无法读取：{reason}",
    ),
    "not_utf8": Text(
        "not UTF-8: {reason} at byte {at}; save it as CSV UTF-8",
        "不是 UTF-8 编码（第 {at} 字节）；请另存为“CSV UTF-8”",
    ),
    "no_id": Text(
        "no column 'id'; the first line names the columns",
        "没有 id 列；第一行应为列名",
    ),
    "column_twice": Text(
        "column {value} is there twice; keep one",
        "列 {value} 出现了两次；请保留一列",
    ),
    "not_csv": Text(
        "not CSV: {reason}",
        "不是 CSV：{reason}",
    ),
    "not_yaml": Text(
        "not YAML: {reason}",
        "不是 YAML：{reason}",
    ),
    "no_list": Text(
        "no list of {what}; write '- id: …' for each, as a list or under '{what}'",
        "没有 {what} 列表；请逐条写“- id: …”，直接列出或写在 {what} 之下",
    ),
    "deep": Text(
        "nested more than {most} deep; a registry is lists of rows",
        "嵌套超过 {most} 层；登记文件只是若干列表",
    ),
    "unknown_list": Text(
        "{value} is no part of a registry; there are {known}",
        "{value} 不属于登记文件；可用：{known}",
    ),
}
KEYS: Final = tuple(_TEXTS)


class RegistryError(ValueError):
    """Something in a file or a form that cannot be used; in English, and as `zh`. `field` is its place."""

    def __init__(self, key: str, field: str = "", **names: object) -> None:
        self.key, self.field, self._names = key, field, {"field": field, **names}
        super().__init__(self.en)

    @property
    def en(self) -> str:
        """In English."""
        return _TEXTS[self.key].en.format(**self._names)

    @property
    def zh(self) -> str:
        """In Chinese."""
        return _TEXTS[self.key].zh.format(**self._names)


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that cannot be used; with `fatal`, nothing of the file can. `line` 0: no line in particular."""

    source: str
    line: int
    error: RegistryError
    fatal: bool = False

    @property
    def place(self) -> str:
        """`customers.csv:7`."""
        return f"{self.source}:{self.line}" if self.line else self.source


def shown(value: object) -> str:
    """A value as a message quotes it: short."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
