/*
 * The Windows service that runs the agent: Node.js itself does not answer the service control manager.
 *
 * It lies in X:\prestage\agent\windows beside node.exe, registered by the step set-up-operating-system. It says that it runs at once, waits
 * until Windows Setup and its first questions are over, and then runs `node.exe ..\agent.mjs` with PRESTAGE_ENVIRONMENT=installed and PRESTAGE_BOOT_ID:
 *   exit code 0   the agent has nothing to do until the next start of the computer: the service stops
 *   exit code 10  the deployment is over: X:\prestage and the service are removed
 *   another       it is started again after five seconds
 * Without an agent beside it a removal was interrupted, and goes on.
 */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define SERVICE_NAME L"PrestageAgent"
#define ENDED 0
#define REMOVE 10
#define RETRY_MS 5000
#define SETUP_POLL_MS 2000

static SERVICE_STATUS_HANDLE status_handle;
static HANDLE stop_event;
/* X:\prestage, and what lies in it. */
static wchar_t root[MAX_PATH], agent[MAX_PATH + 32], node[MAX_PATH + 32], self[MAX_PATH + 64], log_path[MAX_PATH + 32];

static void report(DWORD state)
{
	SERVICE_STATUS status = { .dwServiceType = SERVICE_WIN32_OWN_PROCESS, .dwCurrentState = state };
	status.dwControlsAccepted = state == SERVICE_RUNNING ? SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN : 0;
	status.dwWaitHint = state == SERVICE_RUNNING || state == SERVICE_STOPPED ? 0 : 30000;
	SetServiceStatus(status_handle, &status);
}

static DWORD WINAPI control(DWORD code, DWORD type, void *data, void *context)
{
	(void)type, (void)data, (void)context;
	if (code == SERVICE_CONTROL_STOP || code == SERVICE_CONTROL_SHUTDOWN) {
		report(SERVICE_STOP_PENDING);
		SetEvent(stop_event);
	}
	return code == SERVICE_CONTROL_STOP || code == SERVICE_CONTROL_SHUTDOWN || code == SERVICE_CONTROL_INTERROGATE ? NO_ERROR : ERROR_CALL_NOT_IMPLEMENTED;
}

/* Finds its own place; nothing is ever deleted anywhere but below a folder of this name and shape. */
static BOOL find_paths(void)
{
	static const wchar_t shape[] = L"\\prestage\\agent\\windows\\";
	DWORD length = GetModuleFileNameW(NULL, self, MAX_PATH);
	if (length == 0 || length >= MAX_PATH)
		return FALSE;
	wchar_t *name = wcsrchr(self, L'\\');
	size_t folder = name == NULL ? 0 : (size_t)(name + 1 - self), shape_length = wcslen(shape);
	if (folder != 2 + shape_length || self[1] != L':' || _wcsnicmp(self + 2, shape, shape_length) != 0)
		return FALSE;
	wcsncpy(root, self, 2 + wcslen(L"\\prestage"));
	wcscat(wcscpy(agent, root), L"\\agent\\agent.mjs");
	wcscat(wcscpy(node, root), L"\\agent\\windows\\node.exe");
	wcscat(wcscpy(log_path, root), L"\\log\\service.log");
	return TRUE;
}

static DWORD setup_value(const wchar_t *name)
{
	DWORD value = 0, size = sizeof value;
	if (RegGetValueW(HKEY_LOCAL_MACHINE, L"SYSTEM\\Setup", name, RRF_RT_REG_DWORD, NULL, &value, &size) != ERROR_SUCCESS)
		return 0;
	return value;
}

/* Tells one start of Windows from the next: a key that is not kept beyond it holds a number made at its first use. */
static void name_boot(void)
{
	wchar_t id[32];
	DWORD size = sizeof id;
	HKEY key;
	ULARGE_INTEGER now;
	FILETIME time;
	GetSystemTimeAsFileTime(&time);
	now.LowPart = time.dwLowDateTime, now.HighPart = time.dwHighDateTime;
	_snwprintf(id, 32, L"%016llx", (unsigned long long)now.QuadPart);
	id[31] = 0;
	if (RegCreateKeyExW(HKEY_LOCAL_MACHINE, L"SOFTWARE\\PrestageAgent", 0, NULL, REG_OPTION_VOLATILE, KEY_ALL_ACCESS, NULL, &key, NULL) == ERROR_SUCCESS) {
		wchar_t before[32];
		if (RegGetValueW(key, NULL, L"Boot", RRF_RT_REG_SZ, NULL, before, &size) == ERROR_SUCCESS)
			wcscpy(id, before);
		else
			RegSetValueExW(key, L"Boot", 0, REG_SZ, (const BYTE *)id, (DWORD)((wcslen(id) + 1) * sizeof *id));
		RegCloseKey(key);
	}
	SetEnvironmentVariableW(L"PRESTAGE_BOOT_ID", id);
}

/* Windows Setup's passes and the questions of its first start; an agent in between would be restarted, or would restart it. */
static BOOL wait_for_setup(void)
{
	while (setup_value(L"SystemSetupInProgress") != 0 || setup_value(L"OOBEInProgress") != 0)
		if (WaitForSingleObject(stop_event, SETUP_POLL_MS) == WAIT_OBJECT_0)
			return FALSE;
	return TRUE;
}

static void limit_job(HANDLE job, DWORD flags)
{
	JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = { .BasicLimitInformation.LimitFlags = flags };
	SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
}

/* What nobody else can say: an agent that crashed writes no log. */
static void say(HANDLE output, DWORD code)
{
	char line[96];
	DWORD written;
	_snprintf(line, sizeof line - 1, "the agent ended with code %lu (0x%08lx) and is started again\r\n", code, code);
	line[sizeof line - 1] = 0;
	WriteFile(output, line, (DWORD)strlen(line), &written, NULL);
}

/* Runs the agent to its end, or to the service's; whatever it has started ends with it unless it ended well. Returns its exit code. */
static DWORD run_agent(void)
{
	SECURITY_ATTRIBUTES inherited = { sizeof inherited, NULL, TRUE };
	WIN32_FILE_ATTRIBUTE_DATA log;
	BOOL long_log = GetFileAttributesExW(log_path, GetFileExInfoStandard, &log) && log.nFileSizeLow > 1 << 20;
	HANDLE output = CreateFileW(log_path, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, &inherited, long_log ? CREATE_ALWAYS : OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
	HANDLE nothing = CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited, OPEN_EXISTING, 0, NULL);
	STARTUPINFOW startup = { .cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES, .hStdInput = nothing, .hStdOutput = nothing, .hStdError = output == INVALID_HANDLE_VALUE ? nothing : output };
	PROCESS_INFORMATION process;
	wchar_t command[3 * MAX_PATH], drive[4] = { root[0], L':', L'\\', 0 };
	DWORD code = 1;
	HANDLE job = CreateJobObjectW(NULL, NULL);
	limit_job(job, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE);
	wcscat(wcscat(wcscat(wcscat(wcscpy(command, L"\""), node), L"\" \""), agent), L"\"");
	if (CreateProcessW(node, command, NULL, NULL, TRUE, CREATE_SUSPENDED | CREATE_NO_WINDOW, NULL, drive, &startup, &process)) {
		HANDLE either[2] = { stop_event, process.hProcess };
		AssignProcessToJobObject(job, process.hProcess);
		ResumeThread(process.hThread);
		if (WaitForMultipleObjects(2, either, FALSE, INFINITE) == WAIT_OBJECT_0 + 1)
			GetExitCodeProcess(process.hProcess, &code);
		if (code != ENDED && code != REMOVE && WaitForSingleObject(stop_event, 0) == WAIT_TIMEOUT)
			say(output, code);
		if (code == ENDED || code == REMOVE)
			limit_job(job, 0); /* a command for the time after the sequence goes on */
		else
			TerminateJobObject(job, 1);
		CloseHandle(process.hThread);
		CloseHandle(process.hProcess);
	}
	CloseHandle(job);
	if (output != INVALID_HANDLE_VALUE)
		CloseHandle(output);
	CloseHandle(nothing);
	return code;
}

/* Deletes a folder and all in it that is not in use; a junction or link itself, never what it leads to. */
static void delete_folder(const wchar_t *folder)
{
	size_t room = wcslen(folder) + MAX_PATH + 8;
	wchar_t *path = malloc(room * sizeof *path);
	WIN32_FIND_DATAW found;
	HANDLE search;
	if (path == NULL)
		return;
	search = FindFirstFileW(wcscat(wcscpy(path, folder), L"\\*"), &found);
	while (search != INVALID_HANDLE_VALUE) {
		if (wcscmp(found.cFileName, L".") != 0 && wcscmp(found.cFileName, L"..") != 0) {
			wcscat(wcscat(wcscpy(path, folder), L"\\"), found.cFileName);
			SetFileAttributesW(path, FILE_ATTRIBUTE_NORMAL);
			if (!(found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
				DeleteFileW(path);
			else if (found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT)
				RemoveDirectoryW(path);
			else
				delete_folder(path);
		}
		if (!FindNextFileW(search, &found))
			break;
	}
	if (search != INVALID_HANDLE_VALUE)
		FindClose(search);
	RemoveDirectoryW(folder);
	free(path);
}

/* The agent's bundle first: without it the next start comes here again. This program cannot delete itself: a shell does, or the next start of Windows. */
static void remove_everything(void)
{
	wchar_t folder[MAX_PATH + 8], path[MAX_PATH + 32], command[MAX_PATH + 96], shell[MAX_PATH];
	STARTUPINFOW startup = { .cb = sizeof startup };
	PROCESS_INFORMATION process;
	DeleteFileW(agent);
	delete_folder(wcscat(wcscpy(folder, L"\\\\?\\"), root));
	MoveFileExW(self, NULL, MOVEFILE_DELAY_UNTIL_REBOOT);
	MoveFileExW(wcscat(wcscpy(path, root), L"\\agent\\windows"), NULL, MOVEFILE_DELAY_UNTIL_REBOOT);
	MoveFileExW(wcscat(wcscpy(path, root), L"\\agent"), NULL, MOVEFILE_DELAY_UNTIL_REBOOT);
	MoveFileExW(root, NULL, MOVEFILE_DELAY_UNTIL_REBOOT);
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
	SC_HANDLE service = manager == NULL ? NULL : OpenServiceW(manager, SERVICE_NAME, DELETE);
	if (service != NULL) {
		DeleteService(service);
		CloseServiceHandle(service);
	}
	if (manager != NULL)
		CloseServiceHandle(manager);
	if (GetEnvironmentVariableW(L"ComSpec", shell, MAX_PATH) - 1 >= MAX_PATH - 1)
		return;
	wcscat(wcscat(wcscpy(command, L"cmd.exe /d /s /c \"ping -n 4 127.0.0.1 >nul & rd /s /q "), root), L"\"");
	if (CreateProcessW(shell, command, NULL, NULL, FALSE, CREATE_NO_WINDOW, NULL, NULL, &startup, &process)) {
		CloseHandle(process.hThread);
		CloseHandle(process.hProcess);
	}
}

static void WINAPI service_main(DWORD count, wchar_t **arguments)
{
	(void)count, (void)arguments;
	status_handle = RegisterServiceCtrlHandlerExW(SERVICE_NAME, control, NULL);
	if (status_handle == 0)
		return;
	stop_event = CreateEventW(NULL, TRUE, FALSE, NULL);
	report(SERVICE_RUNNING);
	if (find_paths() && SetEnvironmentVariableW(L"PRESTAGE_ENVIRONMENT", L"installed") && wait_for_setup()) {
		name_boot();
		DWORD code = REMOVE;
		do {
			if (GetFileAttributesW(agent) == INVALID_FILE_ATTRIBUTES && GetLastError() == ERROR_FILE_NOT_FOUND)
				code = REMOVE;
			else
				code = run_agent();
		} while (code != ENDED && code != REMOVE && WaitForSingleObject(stop_event, RETRY_MS) == WAIT_TIMEOUT);
		if (code == REMOVE)
			remove_everything();
	}
	report(SERVICE_STOPPED);
}

int main(void)
{
	SERVICE_TABLE_ENTRYW table[] = { { SERVICE_NAME, service_main }, { NULL, NULL } };
	return StartServiceCtrlDispatcherW(table) ? 0 : (int)GetLastError();
}
