"""What is known of functions outside of the app: by the dotted name that the imports prove, never by a method alone.

A path spells how a value is reached: `requests.post`, `requests.Session().post` for the method of an object that
a call returned, `builtins.len`. What is not listed here counts as a function that returns something made from its
arguments and that may change the dictionaries it is given.
"""

import sys


def is_effect(path: str, method: str | None) -> bool:
    """Tell whether a call of the path changes something outside of the app.

    Args:
        path: The dotted name of what is called.
        method: The HTTP method that the call names, for functions that take one; `None` where it cannot be told.
    """
    root, _, tail = path.partition(".")
    if root in _HTTP_ROOTS:
        return _is_http_effect(tail, method)
    if path in _EFFECTS:
        return True
    openers, methods = _STARTS.get(root, ((), ()))
    opener = next((found for found in openers if path.startswith((f"{found}.", f"{found}["))), None)
    return opener is not None and path.rpartition(".")[2].startswith(methods)


def is_harmless(path: str) -> bool:
    """Tell whether the functions of that library leave the dictionaries that they are given as they are."""
    return path.partition(".")[0].partition("(")[0] in _HARMLESS


def keeps(method: str) -> bool:
    """Tell whether methods of that name make an object hold what they are given."""
    return method in _KEEPING


def is_wrapper(path: str) -> bool:
    """Tell whether what the path makes goes on to change the object that it is given."""
    return path in _WRAPPERS


def type_of_call(path: str) -> str | None:
    """Give the column type of what a call of the path returns for certain."""
    return _TYPES.get(path)


def type_of_method(name: str, of: str | None) -> str | None:
    """Give the column type of what a method returns, of a value of the column type."""
    return _METHOD_TYPES.get(of or "", {}).get(name)


def type_needed(name: str) -> str | None:
    """Give the column type whose values have a method of that name, where only one has."""
    return _NEEDED.get(name)


def _is_http_effect(tail: str, method: str | None) -> bool:
    bare = tail.rpartition(".")[2]
    opener = tail.rpartition(".")[0]
    if opener not in _HTTP_OPENERS:
        return False
    return bare in _HTTP_WRITES or (
        bare in {"request", "stream"} and method is not None and method.upper() not in _HTTP_READS
    )


_HTTP_ROOTS = frozenset({"requests", "httpx", "aiohttp"})
_HTTP_OPENERS = frozenset(
    {
        "",
        "api",
        "Session()",
        "session()",
        "sessions.Session()",
        "Client()",
        "AsyncClient()",
        "ClientSession()",
    }
)
_HTTP_WRITES = frozenset({"post", "put", "patch", "delete"})
_HTTP_READS = frozenset({"GET", "HEAD", "OPTIONS"})

_EFFECTS = frozenset(
    f"{module}.{name}"
    for module, names in {
        "os": "remove unlink rmdir removedirs rename renames replace mkdir makedirs link symlink truncate chmod chown "
        "kill system popen",
        "shutil": "rmtree move copy copy2 copyfile copytree make_archive chown",
        "subprocess": "run call check_call check_output Popen getoutput getstatusoutput",
        "asyncio": "create_subprocess_exec create_subprocess_shell",
        "urllib.request": "urlretrieve urlopen(data)",
        "webbrowser": "open",
        "aiosmtplib": "send",
    }.items()
    for name in names.split()
)
_SQL = "execute executescript copy callproc"
_WRITING: dict[str, tuple[str, str]] = {
    "http": ("http.client.HTTPConnection() http.client.HTTPSConnection()", "request("),
    "urllib3": ("urllib3 urllib3.PoolManager()", "request("),
    "smtplib": ("smtplib.SMTP() smtplib.SMTP_SSL() smtplib.LMTP()", "send"),
    "aiosmtplib": ("aiosmtplib.SMTP()", "send"),
    "ftplib": ("ftplib.FTP() ftplib.FTP_TLS()", "stor delete rename mkd rmd"),
    "pathlib": ("pathlib.Path()", "write_ unlink rmdir mkdir rename replace touch"),
    "slack": (
        "slack.WebClient()",
        "chat_ files_upload files_delete reactions_add reactions_remove views_ api_call",
    ),
    "slack_sdk": (
        (
            "slack_sdk.WebClient() slack_sdk.web.WebClient() slack_sdk.web.client.WebClient() "
            "slack_sdk.web.async_client.AsyncWebClient() slack_sdk.webhook.WebhookClient() "
            "slack_sdk.webhook.async_client.AsyncWebhookClient()"
        ),
        (
            "chat_ files_upload files_delete reactions_add reactions_remove views_ api_call send pins_add "
            "conversations_create conversations_invite conversations_join conversations_kick conversations_leave "
            "conversations_open conversations_archive conversations_rename conversations_set pins_remove"
        ),
    ),
    "boto3": (
        "boto3.client() boto3.resource() boto3.session.Session() boto3.Session()",
        (
            "put create delete update send publish upload copy start stop run terminate invoke restore tag untag "
            "batch_write transact_write"
        ),
    ),
    "twilio": ("twilio.rest.Client()", "create update delete"),
    "sendgrid": ("sendgrid.SendGridAPIClient()", "send post put patch delete"),
    "stripe": ("stripe", "create modify delete cancel capture confirm refund pay send finalize"),
    "psycopg": ("psycopg.connect() psycopg.Connection.connect() psycopg.AsyncConnection.connect()", _SQL),
    "psycopg2": ("psycopg2.connect()", _SQL),
    "sqlite3": ("sqlite3.connect()", _SQL),
    "pymysql": ("pymysql.connect()", _SQL),
    "sqlalchemy": (
        "sqlalchemy.create_engine().connect() sqlalchemy.create_engine().begin() sqlalchemy.orm.Session()",
        "execute add delete merge commit flush",
    ),
    "google": (
        "google.cloud.storage.Client() google.cloud.bigquery.Client() google.cloud.pubsub_v1.PublisherClient()",
        "upload_ publish delete insert_rows load_table create_",
    ),
    "discord": ("discord.SyncWebhook discord.Webhook", "send"),
    "telegram": ("telegram.Bot()", "send edit delete forward"),
    "paramiko": ("paramiko.SSHClient()", "exec_command"),
    "redis": (
        "redis.Redis() redis.StrictRedis()",
        "set delete publish lpush rpush hset sadd zadd incr decr expire xadd",
    ),
    "pymongo": ("pymongo.MongoClient()", "insert_ update_ replace_ delete_"),
}
"""By library: what its clients are made by, and how the names of their methods begin that change something."""
_STARTS = {
    root: (tuple(openers.split()), tuple(methods.split())) for root, (openers, methods) in _WRITING.items()
}

_HARMLESS = frozenset(
    sys.stdlib_module_names
    | {"builtins", "patterns", "requests", "httpx", "aiohttp", "openai", "anthropic", "slack_sdk", "boto3"}
    | {"twilio", "sendgrid", "numpy", "pandas", "pydantic", "structlog", "loguru"}
)

_TYPES = {
    path: column_type
    for column_type, paths in {
        "bigint": "builtins.len builtins.int builtins.ord builtins.hash builtins.id random.randint random.randrange "
        "time.time_ns time.monotonic_ns math.floor math.ceil math.factorial math.gcd math.comb os.getpid",
        "double": "builtins.float time.time time.monotonic time.perf_counter random.random random.uniform "
        "random.gauss math.sqrt math.log math.log2 math.log10 math.exp math.sin math.cos math.tan math.fsum "
        "math.hypot math.dist math.fabs statistics.fmean",
        "text": "builtins.str builtins.repr builtins.chr builtins.hex builtins.bin builtins.oct builtins.ascii "
        "builtins.format builtins.input json.dumps textwrap.dedent textwrap.fill textwrap.shorten textwrap.indent "
        "html.escape html.unescape urllib.parse.quote urllib.parse.quote_plus urllib.parse.urlencode secrets.token_hex "
        "secrets.token_urlsafe time.strftime traceback.format_exc os.getcwd os.getenv() hashlib.md5().hexdigest "
        "hashlib.sha1().hexdigest hashlib.sha256().hexdigest hashlib.sha512().hexdigest hashlib.blake2b().hexdigest "
        "csv.DictReader()[] datetime.datetime.now().isoformat datetime.datetime.utcnow().isoformat "
        "datetime.datetime.now().strftime datetime.datetime.utcnow().strftime datetime.date.today().isoformat "
        "datetime.date.today().strftime",
        "bool": "builtins.bool builtins.isinstance builtins.issubclass builtins.callable builtins.any builtins.all "
        "builtins.hasattr math.isnan math.isfinite math.isinf math.isclose os.path.exists os.path.isfile os.path.isdir",
        "date": "datetime.date.today datetime.date datetime.date.fromisoformat datetime.date.fromtimestamp "
        "datetime.datetime.now().date datetime.datetime.utcnow().date datetime.datetime.today().date "
        "datetime.datetime.strptime().date",
        "numeric": "decimal.Decimal",
        "bytea": "builtins.bytes builtins.bytearray os.urandom secrets.token_bytes base64.b64encode base64.b64decode "
        "base64.urlsafe_b64encode base64.urlsafe_b64decode gzip.compress zlib.compress hashlib.sha256().digest "
        "hashlib.md5().digest hashlib.sha1().digest",
        "jsonb": "builtins.dict builtins.list builtins.sorted builtins.vars builtins.dir collections.defaultdict "
        "collections.OrderedDict collections.Counter collections.deque",
    }.items()
    for path in paths.split()
}

_TEXT_METHODS = (
    "capitalize casefold center expandtabs format format_map join ljust lower lstrip removeprefix removesuffix replace "
    "rjust rstrip strip swapcase title translate upper zfill"
)
_METHOD_TYPES = {
    "text": {
        **dict.fromkeys(_TEXT_METHODS.split(), "text"),
        **dict.fromkeys(("split", "rsplit", "splitlines", "partition", "rpartition"), "jsonb"),
        **dict.fromkeys(("count", "find", "index", "rfind", "rindex"), "bigint"),
        **dict.fromkeys(
            ("startswith", "endswith", "isdigit", "isalpha", "isalnum", "isspace", "isupper"), "bool"
        ),
        "encode": "bytea",
    },
    "bytea": {"decode": "text", "hex": "text"},
    "timestamptz": {
        "isoformat": "text",
        "strftime": "text",
        "date": "date",
        "timestamp": "double",
        "astimezone": "timestamptz",
        "weekday": "bigint",
        "isoweekday": "bigint",
    },
    "date": {"isoformat": "text", "strftime": "text", "weekday": "bigint", "isoweekday": "bigint"},
}
_ONLY_TEXT = (
    "capitalize casefold encode format format_map isnumeric isdecimal isidentifier isprintable lower lstrip "
    "removeprefix removesuffix rstrip split rsplit splitlines startswith endswith strip swapcase title upper zfill"
)
_NEEDED = {
    **dict.fromkeys(_ONLY_TEXT.split(), "text"),
    **dict.fromkeys(("items", "values", "keys", "append", "extend", "setdefault", "get"), "jsonb"),
    **dict.fromkeys(("astimezone", "timestamp", "utcoffset", "tzname"), "timestamptz"),
    "decode": "bytea",
}
_KEEPING = frozenset(
    {
        "add", "append", "appendleft", "extend", "extendleft", "feed", "insert", "move_to_end", "push", "put",
        "put_nowait", "register", "setdefault", "setitem", "subtract", "update", "write", "writelines", "writerow",
        "writerows",
    }
)  # fmt: skip
_WRAPPERS = frozenset(
    {
        "csv.DictWriter", "csv.writer", "gzip.GzipFile", "gzip.open", "io.BufferedWriter", "io.TextIOWrapper",
        "json.dump", "pandas.ExcelWriter", "pickle.Pickler", "pickle.dump", "tarfile.open", "yaml.dump",
        "xml.etree.ElementTree.SubElement", "zipfile.ZipFile",
    }
)  # fmt: skip
