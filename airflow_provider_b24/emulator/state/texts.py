"""Error texts, which a portal sends in its own language."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    "poll.empty": (
        "Poll question and answer options are required.",
        "Необходимо указать вопрос и варианты ответа.",
    ),
    "poll.many_questions": (
        "Maximum possible questions: {limit}.",
        "Максимальное количество вопросов: {limit}.",
    ),
    "poll.few_answers": (
        "Minimum possible answer options: {limit}.",
        "Минимальное количество вариантов ответа: {limit}.",
    ),
    "poll.many_answers": (
        "Maximum possible answer options: {limit}.",
        "Максимальное количество вариантов ответа: {limit}.",
    ),
    "poll.not_created": (
        "Insufficient permission to create a poll.",
        "Недостаточно прав для создания опроса.",
    ),
    "poll.stopped_notice": ("The poll has been closed.", "Голосование завершено."),
    "vote.inactive": ("The poll is inactive.", "Опрос не активен."),
    "vote.already": ("You already voted.", "Вы уже голосовали."),
    "vote.nothing": ("Please select an option.", "Выберите вариант ответа."),
    "vote.no_revote": ("You cannot recall your vote.", "Вы не можете отозвать голос."),
    "attach.not_found": ("Attach not found", "Attach not found"),
    "attach.read_denied": ("Attach read access denied", "Attach read access denied"),
    "access.denied": ("Access denied.", "Доступ запрещён."),
    "chat.no_write": (
        "You cannot send messages to the specified chat",
        "Вы не можете отправить сообщение в этот чат",
    ),
    "chat.not_created": ("Error creating message", "Ошибка создания сообщения"),
    "line.inactive": (
        "The line with this ID is inactive or does not exist",
        "Линия c таким ID неактивна или не существует",
    ),
    "line.no_provider": (
        "Could not find a suitable provider for the connector",
        "Не удалось найти подходящий провайдер для коннектора",
    ),
    "line.not_all_data": ("Not all required data was provided", "Переданы не все необходимые данные"),
    "line.no_user": ("The messenger user id was not received", "Не получен id пользователя мессенджера"),
    "line.unsupported_type": (
        "Unsupported type of incoming message",
        "Неподдерживаемый тип входящего сообщения от сервера",
    ),
    "line.original_post": ("Link to the original post: {link}", "Ссылка на оригинальный пост: {link}"),
    "line.rename_failed": ("The chat was not renamed", "Не удалось переименовать чат"),
    "connector.APPLICATION_REGISTRATION_ERROR_POINT": (
        "A connector ID cannot contain a dot",
        "ID коннектора не может содержать точку",
    ),
    "connector.CONNECTOR_ID_REQUIRED": ("No connector ID", "Не указан ID коннектора"),
    "connector.NAME_REQUIRED": ("No connector name", "Не указано название коннектора"),
    "connector.ICON_REQUIRED": ("No connector icon", "Не указана иконка коннектора"),
    "connector.NO_PLACEMENT_HANDLER": ("No placement handler", "Не указан обработчик встраивания"),
    "connector.APPLICATION_REGISTRATION_ERROR": (
        "The connector was not registered",
        "Не удалось зарегистрировать коннектор",
    ),
    "connector.APPLICATION_UNREGISTRATION_ERROR": (
        "The connector was not removed",
        "Не удалось удалить коннектор",
    ),
}


def text(key: str, *, language: str, **values: object) -> str:
    """Return a text in English or Russian, with its values put in."""
    english, russian = TEXTS[key]
    return (russian if language == "ru" else english).format(**values)
