"""复姓 Chinese surnames of two characters, with their readings: where a name is cut."""

DOUBLE_SURNAMES: dict[str, str] = {
    "尉迟": "yu chi", "长孙": "zhang sun", "万俟": "mo qi", "澹台": "tan tai", "宇文": "yu wen", "欧阳": "ou yang", "司马": "si ma",
    "上官": "shang guan", "诸葛": "zhu ge", "夏侯": "xia hou", "皇甫": "huang fu", "令狐": "ling hu", "公孙": "gong sun", "慕容": "mu rong",
    "司徒": "si tu", "司空": "si kong", "轩辕": "xuan yuan", "东方": "dong fang", "独孤": "du gu", "南宫": "nan gong", "闻人": "wen ren",
    "端木": "duan mu", "赫连": "he lian", "呼延": "hu yan", "鲜于": "xian yu", "太史": "tai shi", "公冶": "gong ye", "宗政": "zong zheng",
    "濮阳": "pu yang", "淳于": "chun yu", "单于": "chan yu", "申屠": "shen tu", "仲孙": "zhong sun", "钟离": "zhong li", "百里": "bai li",
    "东郭": "dong guo", "西门": "xi men", "南门": "nan men", "谷梁": "gu liang", "拓跋": "tuo ba", "第五": "di wu", "乐正": "yue zheng",
    "亓官": "qi guan", "颛孙": "zhuan sun", "左丘": "zuo qiu", "梁丘": "liang qiu", "司寇": "si kou", "巫马": "wu ma", "公羊": "gong yang",
    "完颜": "wan yan", "耶律": "ye lv", "纳兰": "na lan", "叶赫": "ye he", "贺兰": "he lan", "尔朱": "er zhu",
}  # fmt: skip
