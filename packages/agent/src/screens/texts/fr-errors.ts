import type { ErrorText, ScreenErrorCode } from "./error-text.ts";

const stageAgain = "Préparez le disque à nouveau.";
const askSite = "Demandez à l'administrateur du site.";
const correctSequence = "Signalez-le à l'administrateur : la séquence de tâches est à corriger.";
const distrustNetwork = "Demandez à l'administrateur du site ; ne continuez pas sur ce réseau.";
const failingDisk = "Le disque est peut-être défaillant. Redémarrez pour réessayer, sinon remplacez-le.";

/** The errors of the screen "Arrêt". */
export const frErrors: Readonly<Record<ScreenErrorCode, ErrorText>> = {
  PRESTAGE_AGENT_NO_START_PARTITION: { cause: "La partition dont cet ordinateur a démarré est introuvable.", next: "Démarrez du disque préparé, par son propre chargeur." },
  PRESTAGE_AGENT_NO_VOLUME: { cause: "Le disque de démarrage n'a aucune partition portant un média.", next: stageAgain },
  PRESTAGE_AGENT_TWO_VOLUMES: { cause: "Le disque de démarrage a plus d'une partition portant un média.", next: "Préparez le disque à nouveau, ou retirez /prestage de l'une d'elles." },
  PRESTAGE_AGENT_START_FILES_DAMAGED: { cause: "Un fichier dont l'ordinateur démarre n'est pas tel que signé.", next: "N'utilisez pas ce disque. Préparez-le à nouveau." },
  PRESTAGE_AGENT_MEDIA_DAMAGED: { cause: "Un fichier du média est endommagé, et ne peut être utilisé.", next: "Préparez le disque à nouveau ; il est peut-être défaillant." },
  PRESTAGE_AGENT_KEYRING_MISMATCH: { cause: "Le trousseau de clés du disque n'est pas celui de l'environnement de démarrage.", next: "Préparez le disque à nouveau, avec un média de ce site." },
  PRESTAGE_AGENT_PRESTART_FAILED: { cause: "La commande de prédémarrage du média a échoué.", next: "Le journal (F9) montre ce qu'elle a affiché. La commande ou son paquet sont à corriger, et le média à refaire." },
  PRESTAGE_AGENT_NO_NETWORK: { cause: "Aucune interface filaire n'a obtenu d'adresse.", next: "Vérifiez le câble, ou les réglages par F6. Un nouvel essai suit de lui-même." },
  PRESTAGE_AGENT_NO_MANAGEMENT_POINT: { cause: "Aucun point de gestion n'a répondu.", next: "Vérifiez le réseau et le point de gestion. Un nouvel essai suit de lui-même." },
  PRESTAGE_AGENT_REFUSED: { cause: "Le point de gestion a refusé la demande.", next: askSite },
  PRESTAGE_AGENT_REVOKED: { cause: "Le site a mis fin à l'inscription de cet ordinateur.", next: "Demandez à l'administrateur du site. Pour réutiliser l'ordinateur, préparez le disque à nouveau." },
  PRESTAGE_AGENT_SECRET_UNAVAILABLE: { cause: "Une étape demande un secret que le site ne donne pas à cet ordinateur.", next: askSite },
  PRESTAGE_AGENT_POLICY_REFUSED: { cause: "La stratégie reçue est d'un autre ordinateur, périmée ou plus ancienne qu'une autre déjà vue.", next: distrustNetwork },
  PRESTAGE_AGENT_STATE_DAMAGED: { cause: "Ce que le déploiement avait noté sur le disque est illisible.", next: "Le disque est peut-être défaillant. Préparez-le à nouveau pour recommencer." },
  PRESTAGE_AGENT_CONTENT_UNKNOWN: { cause: "Une étape demande un contenu que la stratégie ne nomme pas.", next: correctSequence },
  PRESTAGE_AGENT_STEP_FAILED: { cause: "Une étape de la séquence de tâches a échoué.", next: "Le journal (F9) et le site montrent ce qu'elle a affiché." },
  PRESTAGE_AGENT_STEP_INVALID: { cause: "Une étape de la séquence de tâches est mal réglée, ou d'un type inconnu.", next: correctSequence },
  PRESTAGE_AGENT_NOT_READY: { cause: "L'ordinateur n'a pas ce que demande une étape check-readiness.", next: "Prenez un autre ordinateur, ou demandez moins dans l'étape." },
  PRESTAGE_AGENT_STEP_TIME_LIMIT: { cause: "Une étape n'a pas fini dans le temps accordé et a été arrêtée.", next: "Augmentez son timeLimitMinutes, ou cherchez pourquoi elle dure." },
  PRESTAGE_AGENT_STEP_INTERRUPTED: { cause: "Une étape a été interrompue maintes fois et n'a jamais fini.", next: "Un programme ne doit pas redémarrer l'ordinateur lui-même : qu'il finisse par un code de redémarrage. Vérifiez aussi l'alimentation." },
  PRESTAGE_AGENT_STEP_ENVIRONMENT: { cause: "Une étape ne peut s'exécuter dans cet environnement.", next: correctSequence },
  PRESTAGE_AGENT_DISK_PROTECTED: { cause: "Une étape détruirait le disque d'où vient le déploiement, ou un disque utilisé.", next: correctSequence },
  PRESTAGE_AGENT_DIRECTORY_JOIN: { cause: "L'annuaire n'a pas admis cet ordinateur.", next: "Vérifiez le réseau, le compte, son mot de passe et son droit d'y joindre des ordinateurs." },
  PRESTAGE_AGENT_FOLDER_UNREACHABLE: { cause: "Un dossier partagé du réseau n'a pu être monté.", next: "Vérifiez son chemin, le compte, et le réseau." },
  PRESTAGE_AGENT_NO_STATE_STORE: { cause: "Il n'y a pas d'endroit pour les fichiers des utilisateurs.", next: correctSequence },
  PRESTAGE_AGENT_STATE_STORE_DAMAGED: { cause: "Les fichiers des utilisateurs manquent, ou ne sont pas tels que capturés.", next: "Ne supprimez rien. Demandez à l'administrateur du site." },
  PRESTAGE_AGENT_TOO_OLD: { cause: "Ce média demande un agent plus récent que celui de son image de démarrage.", next: "Faites refaire le média avec une image de démarrage plus récente." },
  PRESTAGE_AGENT_UNEXPECTED: { cause: "Une panne que personne n'avait prévue s'est produite.", next: "Copiez le journal par F10, et donnez-le à l'administrateur du site." },
  PRESTAGE_AGENT_JOURNAL_DAMAGED: { cause: "Le journal du déploiement est endommagé.", next: "Le disque est peut-être défaillant. Préparez-le à nouveau pour recommencer." },
  PRESTAGE_MEDIA_MANIFEST_MALFORMED: { cause: "Le manifeste du média n'a pas la forme attendue.", next: stageAgain },
  PRESTAGE_MEDIA_FORMAT_UNSUPPORTED: { cause: "Le format du média est plus récent que cet agent.", next: "Faites refaire le média avec une image de démarrage plus récente." },
  PRESTAGE_MEDIA_NOT_YET_VALID: { cause: "La validité du média n'a pas encore commencé.", next: "Attendez, ou faites prolonger le média par l'administrateur du site." },
  PRESTAGE_MEDIA_EXPIRED: { cause: "La validité du média est terminée.", next: "Faites prolonger le média par l'administrateur du site : le disque n'a pas à être refait." },
  PRESTAGE_TRUST_DOCUMENT_MALFORMED: { cause: "Un document signé n'a pas la forme attendue.", next: askSite },
  PRESTAGE_TRUST_DOCUMENT_KIND: { cause: "Un document signé est d'une autre sorte que celui qui était demandé.", next: distrustNetwork },
  PRESTAGE_TRUST_SIGNATURE_INVALID: { cause: "Un document n'est signé par aucune clé en laquelle cet ordinateur a confiance.", next: "Venant du disque : préparez-le à nouveau. Venant du réseau : ne continuez pas sur ce réseau, et demandez à l'administrateur du site." },
  PRESTAGE_TRUST_KEY_MALFORMED: { cause: "Une clé n'a pas la forme attendue.", next: stageAgain },
  PRESTAGE_TRUST_KEYRING_SUCCESSION: { cause: "Un trousseau de clés reçu ne succède pas à celui de cet ordinateur.", next: distrustNetwork },
  PRESTAGE_TRUST_KEYRING_EXPIRED: { cause: "Le trousseau de clés de cet ordinateur est périmé.", next: "L'administrateur du site renouvelle le trousseau ; préparez ensuite le disque à nouveau s'il le faut." },
  PRESTAGE_TRUST_TIME_NONCE: { cause: "L'heure reçue répond à une autre demande que celle de cet ordinateur.", next: distrustNetwork },
  PRESTAGE_TRUST_TIME_BEFORE_FLOOR: { cause: "L'heure reçue est antérieure à la création du média.", next: "L'horloge du site est à régler. Demandez à l'administrateur du site." },
  PRESTAGE_TRUST_SECRET_SEALED: { cause: "Un secret reçu n'est pas pour cet ordinateur, ou a été altéré.", next: distrustNetwork },
  PRESTAGE_CONTENT_INDEX_MALFORMED: { cause: "L'index d'un contenu n'est pas celui qui était attendu.", next: askSite },
  PRESTAGE_CONTENT_STORAGE_MALFORMED: { cause: "Le plan de stockage d'un contenu n'est pas celui qui était attendu.", next: askSite },
  PRESTAGE_CONTENT_PATH_UNSAFE: { cause: "Un contenu nomme un chemin qui n'est pas permis.", next: askSite },
  PRESTAGE_CONTENT_DAMAGED: { cause: "Un fichier n'a pas la taille ou l'empreinte de son index.", next: failingDisk },
  PRESTAGE_CONTENT_NOT_FOUND: { cause: "Une version d'un contenu est introuvable.", next: askSite },
  PRESTAGE_CONTENT_ZSTD: { cause: "Le programme zstd manque, ou a échoué.", next: askSite },
  PRESTAGE_CONTENT_PATCH_MALFORMED: { cause: "Une liste de correctifs n'est pas celle qui était attendue.", next: askSite },
  PRESTAGE_CONTENT_FETCH_FAILED: { cause: "Aucun point de distribution n'a livré un fichier entier et correct.", next: "Vérifiez le réseau et les points de distribution, puis redémarrez." },
  PRESTAGE_SEQUENCE_MALFORMED: { cause: "La séquence de tâches n'a pas la forme attendue.", next: correctSequence },
  PRESTAGE_SEQUENCE_VARIABLE_REFUSED: { cause: "Une variable a un nom non permis, ou une valeur trop longue.", next: correctSequence },
  PRESTAGE_SEQUENCE_EVENT_UNEXPECTED: { cause: "Le journal du déploiement n'est pas celui de cette séquence de tâches.", next: "Préparez le disque à nouveau pour recommencer." },
  PRESTAGE_DISK_PROGRAM_FAILED: { cause: "Un programme qui travaille sur les disques manque, ou a échoué.", next: failingDisk },
  PRESTAGE_DISK_NOT_A_DISK: { cause: "Ce qui est nommé n'est pas un disque.", next: correctSequence },
  PRESTAGE_DISK_TOO_SMALL: { cause: "Le disque est trop petit pour ce qu'il doit porter.", next: "Utilisez un disque plus grand." },
  PRESTAGE_DISK_BAD_TABLE: { cause: "La table des partitions du disque manque, ou n'est pas celle attendue.", next: stageAgain },
  PRESTAGE_DISK_BAD_FILE_SYSTEM: { cause: "Un système de fichiers est illisible.", next: failingDisk },
  PRESTAGE_DISK_FILE_MISSING: { cause: "Un fichier qui devrait être sur le disque n'y est pas.", next: stageAgain },
  PRESTAGE_DISK_BAD_BOOT_SWITCH: { cause: "Le commutateur de démarrage, prestage/boot.env, n'a pas la forme attendue.", next: stageAgain },
  PRESTAGE_DISK_IMAGE_REFUSED: { cause: "L'image du système porte à sa racine des noms réservés au déploiement.", next: "Signalez-le à l'administrateur : l'image du système est à corriger." },
  PRESTAGE_DISK_NO_KERNEL: { cause: "L'image du système n'a pas de noyau avec son initramfs.", next: "Signalez-le à l'administrateur : l'image du système est à corriger." },
  PRESTAGE_SEQUENCE_ANSWER_FILE: { cause: "Le fichier de réponses pour Windows n'est pas valable.", next: correctSequence },
  PRESTAGE_AGENT_NOT_WINDOWS: { cause: "Le volume ne contient pas de système Windows.", next: correctSequence },
  PRESTAGE_DISK_BAD_SETTING: { cause: "Un réglage du système installé n'est pas valable.", next: correctSequence },
  PRESTAGE_DISK_ENCRYPTED: { cause: "Une partition à chiffrer l'est déjà, par d'autres clés.", next: "Si ce qu'elle contient peut être perdu, que la séquence de tâches partitionne le disque à nouveau." },
};

/** The text of a code; undefined for one that is not ours. */
export function frError(code: string): ErrorText | undefined {
  return Object.hasOwn(frErrors, code) ? frErrors[code as ScreenErrorCode] : undefined;
}
