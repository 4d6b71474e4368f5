# Completion of tokenbroker(1) for bash.

_tokenbroker_commands='login token exec list status refresh reject import link held
    accept discard rename forecast logout retry resume rekey backup move watch doctor trust
    health callers approve audit help version'

# The options of a command.
_tokenbroker_options()
{
    case $1 in
    login) echo --paste --device --no-browser --scope --param --json ;;
    token) echo --min-ttl --wait --format --json ;;
    exec) echo --min-ttl --wait ;;
    reject) echo --fingerprint --json ;;
    import) echo --access-token --scope --jsonl --verify --json ;;
    link) echo --expires --expect --scope --param --csv --list --revoke --json ;;
    accept | discard) echo --id --json ;;
    logout) echo --yes --json ;;
    trust) echo --system --yes --fingerprint --json ;;
    callers) echo --forget --json ;;
    audit) echo --user --unit --verdict --since --before --limit --json ;;
    resume) echo --moved-back --json ;;
    backup | move) echo --key-kept --json ;;
    held | approve | rename | forecast | list | status | refresh | retry | rekey | watch | doctor | health) echo --json ;;
    esac
    echo --socket --help
}

# The accounts that the broker lists; nothing when there is no broker. Words are expanded by compgen:
# what is no name of an account stays out.
_tokenbroker_accounts()
{
    local name rest
    tokenbroker list 2>/dev/null | {
        read -r _
        while read -r name rest; do
            [[ $name == *[!A-Za-z0-9._@+/-]* ]] || echo "$name"
        done
    }
}

_tokenbroker()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --socket) i=$((i + 1)) ;;
        -*) ;;
        *) command=${COMP_WORDS[i]} && break ;;
        esac
    done
    case $before in
    --socket | --jsonl | --csv) mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
    --format) mapfile -t COMPREPLY < <(compgen -W 'plain json header curl env' -- "$word") && return ;;
    --min-ttl | --wait | --scope | --param | --fingerprint | --limit | --forget | --user | --unit | --verdict | --since | --before | --expires | --expect | --id) return ;;
    esac
    case $command:$word in
    :-*) mapfile -t COMPREPLY < <(compgen -W '--socket --help --version' -- "$word") ;;
    : | :*) mapfile -t COMPREPLY < <(compgen -W "$_tokenbroker_commands" -- "$word") ;;
    help:*) mapfile -t COMPREPLY < <(compgen -W "$_tokenbroker_commands" -- "$word") ;;
    *:-*) mapfile -t COMPREPLY < <(compgen -W "$(_tokenbroker_options "$command")" -- "$word") ;;
    list:* | held:* | callers:* | approve:* | forecast:* | resume:* | rekey:* | doctor:* | health:* | version:*) ;;
    backup:* | move:*) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    trust:*) mapfile -t COMPREPLY < <(compgen -W 'install remove status export' -- "$word") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$(_tokenbroker_accounts)" -- "$word") ;;
    esac
}

complete -F _tokenbroker tokenbroker
